"""weft compare lockstep on the shipped models, against every side that needs no GPU: right kernels raise no alarm."""
import os
from concurrent.futures import ThreadPoolExecutor

from tool import main, weft, weft_json

# Batches that are small, so that sums have a few large terms, and steps until the weights are no longer the first ones.
MODELS = [("resnet18", 1, 1), ("gpt2-tiny", 2, 3), ("gpt2-tiny", 1, 3), ("mlp", 4, 4), ("lenet", 3, 4)]
SIDES = ["f64", "plain", "avx2", "threads:2"]


def usable():
    """The sides that this CPU and this build have."""
    features = weft_json("info", "--json")
    level = features["cpu"]["isa"]
    return [side for side in SIDES if side != "avx2" or level in ("avx2", "avx512")]


def alarm(case):
    """What is wrong with the comparison of a case, or None."""
    (model, batch, steps), side = case
    result = weft("compare", "lockstep", model, "--other", side, "--batch", str(batch), "--steps", str(steps))
    return None if result.code == 0 else f"{model}, batch {batch}, against {side}: {result.out}{result.err}"


def test_no_model_raises_a_false_alarm():
    cases = [(model, side) for model in MODELS for side in usable()]
    assert len(cases) >= len(MODELS) * 3
    with ThreadPoolExecutor(min(4, os.cpu_count())) as pool:
        alarms = [text for text in pool.map(alarm, cases) if text]
    assert not alarms, "\n".join(alarms)


main(globals())
