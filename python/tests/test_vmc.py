"""`live --vmc`, heard by an OSC receiver that is none of ours."""

import math
import threading
from collections import defaultdict

import pytest
from conftest import CLIP

dispatcher = pytest.importorskip("pythonosc.dispatcher")
osc_server = pytest.importorskip("pythonosc.osc_server")

VRM = {"A", "I", "U", "E", "O", "Blink", "Blink_L", "Blink_R", "Joy"}


@pytest.fixture(scope="module")
def heard(program):
    """What arrives of the demo clip, by address."""
    messages = defaultdict(list)
    listener = dispatcher.Dispatcher()
    listener.set_default_handler(lambda address, *args: messages[address].append(args))
    with osc_server.BlockingOSCUDPServer(("127.0.0.1", 0), listener) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        target = f"127.0.0.1:{server.server_address[1]}"
        program("live", CLIP, "--no-window", "--model", "mesh", "--measures", "--vmc", target)
        server.shutdown()
        thread.join()
    return messages


def test_a_frame_moves_head_and_expression(heard):
    n = len(heard["/VMC/Ext/OK"])
    # A live run leaves out frames when it is late, and datagrams may get lost.
    assert n > 20 and set(heard["/VMC/Ext/OK"]) == {(1,)}
    times = [seconds for (seconds,) in heard["/VMC/Ext/T"]]
    assert times == sorted(times) and times[-1] < 5.1
    assert n - 3 <= len(heard["/VMC/Ext/Blend/Apply"]) <= n and set(heard["/VMC/Ext/Blend/Apply"]) == {()}
    for name, *numbers in heard["/VMC/Ext/Bone/Pos"]:
        assert name == "Head" and len(numbers) == 7
        assert abs(math.hypot(*numbers[3:]) - 1) < 1e-4, "a unit quaternion"


def test_values_have_arkits_and_vrms_names(heard):
    values = defaultdict(list)
    for name, value in heard["/VMC/Ext/Blend/Val"]:
        values[name].append(value)
    arkit = values.keys() - VRM
    assert len(arkit) == 52 and {"jawOpen", "eyeBlinkLeft", "tongueOut"} <= arkit and VRM <= values.keys()
    assert all(0 <= value <= 1 for of_name in values.values() for value in of_name)
    assert max(values["jawOpen"]) > min(values["jawOpen"]) + 0.05, "the head talks"
