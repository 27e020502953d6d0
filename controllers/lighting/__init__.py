"""The Kanalpromenade: light that goes with the rider."""
