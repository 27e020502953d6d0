"""The rig: peers at the far end of every wire, benches, replay, judge, report."""
