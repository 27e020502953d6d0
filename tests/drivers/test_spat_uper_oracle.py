"""Our reader of UPER beside pycrate, over random messages in which every optional part is there or not by itself."""

from __future__ import annotations

import random

import pytest

from drivers.codecs.spat import Intersection, Movement, Phase, SpatError
from drivers.codecs.spat_uper import MAX_CHUNK_BYTES, SpatUperDecoder, SpatUperStream

STATES = [
    "unavailable",
    "dark",
    "stop-Then-Proceed",
    "stop-And-Remain",
    "pre-Movement",
    "permissive-Movement-Allowed",
    "protected-Movement-Allowed",
    "permissive-clearance",
    "protected-clearance",
    "caution-Conflicting-Traffic",
]
MESSAGES = 300


class Chance:
    """A random message, as pycrate takes it."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self.to = self._random.randrange

    def some(self, **parts):
        """Each part or not; a part is made only when it is wanted."""
        return {key.replace("_", "-"): make() for key, make in parts.items() if self.to(3)}

    def mark(self):
        return self._random.choice([36_000, 36_001, 35_995, 0, self.to(36_002)])

    def text(self):
        return "".join(self._random.choice("Kreuz 12-/") for _ in range(1 + self.to(63)))

    def regional(self):
        return [
            {"regionId": 9 + self.to(200), "regExtValue": ("_unk_004", bytes(self._random.choice([1, 2, 3, 140])))}
            for _ in range(self._random.choice([1, 1, 1, 4]))
        ]

    def many(self, most, make):
        return [make() for _ in range(1 + self.to(most))]

    def speed(self):
        return {"type": self._random.choice(["none", "greenwave", "ecoDrive", "transit"])} | self.some(
            speed=lambda: self.to(501),
            confidence=lambda: self._random.choice(["unavailable", "prec100ms", "prec1ms", "prec0-01ms"]),
            distance=lambda: self.to(10_001),
            **{"class": lambda: self.to(256)},
            regional=self.regional,
        )

    def assist(self):
        return {"connectionID": self.to(256)} | self.some(
            queueLength=lambda: self.to(10_001),
            availableStorageLength=lambda: self.to(10_001),
            waitOnStop=lambda: bool(self.to(2)),
            pedBicycleDetect=lambda: bool(self.to(2)),
            regional=self.regional,
        )

    def timing(self):
        return {"minEndTime": self.mark()} | self.some(
            startTime=self.mark,
            maxEndTime=self.mark,
            likelyTime=self.mark,
            confidence=lambda: self.to(16),
            nextTime=self.mark,
        )

    def event(self):
        return {"eventState": self._random.choice(STATES)} | self.some(
            timing=self.timing, speeds=lambda: self.many(2, self.speed), regional=self.regional
        )

    def movement(self):
        return {
            "signalGroup": self.to(256),
            "state-time-speed": self.many(self._random.choice([2, 2, 2, 16]), self.event),
        } | self.some(
            movementName=self.text, maneuverAssistList=lambda: self.many(4, self.assist), regional=self.regional
        )

    def intersection(self):
        return {
            "id": {"id": self.to(65_536)} | self.some(region=lambda: self.to(65_536)),
            "revision": self.to(128),
            "status": (self.to(65_536), 16),
            "states": self.many(3, self.movement),
        } | self.some(
            name=self.text,
            moy=lambda: self.to(527_041),
            timeStamp=lambda: self.to(65_536),
            enabledLanes=lambda: self.many(16, lambda: self.to(256)),
            maneuverAssistList=lambda: self.many(4, self.assist),
            regional=self.regional,
        )

    def spat(self):
        return {"intersections": self.many(3, self.intersection)} | self.some(
            timeStamp=lambda: self.to(527_041), name=self.text, regional=self.regional
        )


def as_ours(spat):
    """What pycrate made of a SPAT, as our reader tells it."""
    return tuple(
        Intersection(
            one["id"]["id"],
            one["revision"],
            int(f"{one['status'][0]:016b}"[::-1], 2),
            one.get("moy", spat.get("timeStamp")),
            one.get("timeStamp"),
            tuple(
                Movement(
                    movement["signalGroup"],
                    tuple(
                        Phase(STATES.index(event["eventState"]), *map(event.get("timing", {}).get, MARKS))
                        for event in movement["state-time-speed"]
                    ),
                )
                for movement in one["states"]
            ),
        )
        for one in spat["intersections"]
    )


MARKS = ("minEndTime", "maxEndTime", "likelyTime", "confidence")


@pytest.fixture(scope="module")
def messages():
    """Random messages in turn as SPATEM and as MessageFrame, and what pycrate reads in each."""
    asn1 = pytest.importorskip("pycrate_asn1dir.ITS_IS", reason="pycrate is not installed")
    spatem, spat = asn1.SPATEM_PDU_Descriptions.SPATEM, asn1.DSRC.SPAT
    made = []
    for seed in range(MESSAGES):
        value = Chance(seed).spat()
        if seed % 2:
            spatem.set_val({"header": {"protocolVersion": 2, "messageID": 4, "stationID": seed}, "spat": value})
            data = spatem.to_uper()
            spatem.from_uper(data)
            theirs = spatem.get_val()["spat"]
        else:
            spat.set_val(value)
            body = spat.to_uper()
            if len(body) > MAX_CHUNK_BYTES - 4:
                continue
            length = bytes([len(body)]) if len(body) < 128 else (0x8000 | len(body)).to_bytes(2)
            data = b"\x00\x13" + length + body
            spat.from_uper(body)
            theirs = spat.get_val()
        made.append((data, as_ours(theirs)))
    return made


def test_every_random_message_is_read_as_an_asn1_compiler_reads_it(messages):
    read = [(data, theirs) for data, theirs in messages if len(data) <= MAX_CHUNK_BYTES]
    assert len(read) > MESSAGES * 9 // 10
    decoder = SpatUperDecoder()
    for data, theirs in read:
        assert decoder.decode(data) == theirs
    assert max(len(theirs) for _, theirs in read) == 3


def test_a_cut_or_lengthened_message_is_never_taken_for_a_sound_one(messages):
    decoder = SpatUperDecoder()
    for data, _ in messages[1:80:2]:  # SPATEM: nothing but its fields says where it ends
        for wrong in (data[:-1], data[: len(data) // 2], data + b"\0"):
            with pytest.raises(SpatError):
                decoder.decode(wrong)


def test_flipped_bits_end_in_values_or_in_a_counted_refusal(messages):
    stream = SpatUperStream()
    chance = random.Random(5)
    fed = 0
    for data, _ in messages[:200]:
        if len(data) > MAX_CHUNK_BYTES:
            continue
        for _ in range(5):
            wrong = bytearray(data)
            wrong[chance.randrange(len(wrong))] ^= 1 << chance.randrange(8)
            stream.feed(bytes(wrong))
            fed += 1
    assert stream.messages + stream.bad_messages + stream.other_messages == fed
    assert sum(stream.reasons.values()) == stream.bad_messages > 0
