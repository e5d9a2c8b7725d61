"""
Choose
======

Every model that this chapter's examples have made, once more and all together: accuracy as it was recorded,
latency in one session per task. What is neither more accurate nor faster than another model drops out of
the choice.
"""

# %%
# All models of this build
# ------------------------
#
# The examples wrote down, as evidence beside each accuracy, the model that was judged and the precision it
# ran in. That is enough to run it again.

from collections import defaultdict
from dataclasses import replace

from optguide import OpenVINO, Recording, Variant, measure, plots, records
from optguide.errors import RecordsError
from optguide.guide import profiles
from optguide.guide.workloads.minilm import INPUTS
from optguide.records.model import EvaluatedModel

made: dict[str, dict[str, tuple[Variant, records.Result]]] = defaultdict(dict)
originals: dict[str, str] = {}
seen = set()
found = records.load(allow_mixed=True).results
for identifier, result in sorted(found.items(), key=lambda one: -one[1].n):
    judged = EvaluatedModel.of(result) if identifier.endswith(".accuracy") else None
    if judged is None or (judged.model, judged.precision) in seen or not judged.model.exists():
        continue
    seen.add((judged.model, judged.precision))
    shapes = dict.fromkeys(INPUTS, (1, 128)) if judged.task == "sentences" else {}
    name = result.label.removesuffix(": accuracy").removeprefix(f"{judged.task}, ")
    if name in made[judged.task]:
        name = f"{name} ({identifier.partition('.')[0]})"
    variant = Variant(
        name, model=str(judged.model), runtime=OpenVINO(precision=judged.precision, shapes=shapes)
    )
    made[judged.task][name] = (variant, result)
    if judged.original:
        originals.setdefault(judged.task, name)
# To be found among fewer texts is easier, so only models that were judged among all of them are comparable.
if "sentences" in made:
    most = max(result.n for _, result in made["sentences"].values())
    made["sentences"] = {name: one for name, one in made["sentences"].items() if one[1].n == most}
tasks = {task: models for task, models in made.items() if task in originals}
if not tasks:
    raise RecordsError(
        "No example of this chapter has recorded an original and its models in this build.",
        "Run the others first, such as plot_post_training_quantization.py, or run `nox -s docs`.",
    )

# %%
# One session per task
# --------------------
#
# Latencies from different sessions are not compared in this guide, so all models take turns again.

profile = profiles.current()
sessions = {
    task: measure(
        [variant for variant, _ in models.values()],
        replace(profile.budget, seconds=profile.budget.seconds * (1.0 if task == "sentences" else 0.6)),
        label=f"every model for {task}",
    )
    for task, models in tasks.items()
}

# %%
# What is left of the choice
# --------------------------
#
# A model is worth considering if no other is both faster and more accurate. The fastest one that lost less
# than a percentage point against the original is the pick. Picking the best of many by the same numbers
# that are then quoted flatters it a little; measure the pick again before you build on it.

record = Recording("optimize/choose", declares=("choose.*",))
titles = {"sentences": "Sentence encoder", "digits": "Handwritten digits"}
for task, models in tasks.items():
    result = sessions[task]
    points = [
        (name, result.latency(name), accuracy)
        for name, (_, accuracy) in models.items()
        if name in result.series
    ]
    reference = originals[task]
    lost = {name: 100 * (models[reference][1].value - accuracy.value) for name, _, accuracy in points}
    bearable = [point for point in points if lost[point[0]] < 1.0]
    pick = min(bearable, key=lambda point: point[1].value)[0]
    gain = result.compare(reference, pick)
    record.add_comparison(f"choose.{task}.gain", gain, label=f"{task}: {pick} against {reference}, latency")
    record.add_value(f"choose.{task}.models", len(points), "count", label=f"{task}: models compared")
    outcome = (
        f"The pick is {pick}."
        if pick == reference or gain.ratio.low > 1
        else f"The fastest that lost less than a point, {pick}, is not shown to be faster than {reference}."
    )
    record.table(
        task,
        ("Model", "Latency (median)", "Accuracy"),
        sorted(points, key=lambda point: point[1].value),
        caption=f"{titles.get(task, task)}: every model, the fastest first. {outcome}",
    )
    near = [point for point in points if lost[point[0]] < 5]  # far losses would hide small ones
    far = f" Left out: {len(points) - len(near)} that lost five points or more." if near != points else ""
    record.figure(
        f"pareto-{task}",
        lambda near=near: plots.pareto(near),
        alt=f"{titles.get(task, task)}: accuracy over latency of every model with intervals in both "
        "directions, and the front of those that no other beats in both.",
        caption=f"{titles.get(task, task)}: accuracy over median latency of the models in the table. "
        f"Up and left is better; the line joins those that no other model beats in both.{far}",
    )
record.publish()
