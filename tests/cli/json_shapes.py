"""The keys of each command's JSON: what programs that read it rely on.

A key that goes or means something else raises :data:`optguide.cli.output.SCHEMA`; one that is added does not.
"""

from __future__ import annotations

OPAQUE = {"machine", "variant", "properties", "versions", "effective", "counts", "results", "kinds", "shapes"}
OPAQUE |= {"folders"}
"""Keys whose values name things of this machine or this model, or have a test of their own."""

ESTIMATE = {"value", "low", "high", "unit", "n", "method"}
COMPARISON = {"a", "b", "quantity", "ratio", "cpu_ratio", "verdict"}

_SESSION = """
    schema command machine budget.seconds budget.precision
    session.ended session.rounds session.measuring_seconds session.total_seconds session.others_share
    variants[].name variants[].variant variants[].latency.p50 variants[].latency.p95 variants[].latency.p99
    variants[].overhead.inputs variants[].overhead.python
    variants[].throughput variants[].cpu_time variants[].peak_rss variants[].load_seconds variants[].frames
    variants[].effective variants[].versions
    variants[].inputs.random variants[].inputs.shapes variants[].inputs.notes variants[].inputs.counted_by
    control failures warnings
"""

GOLDEN = {
    "machine": """
        schema command machine machine_id busy properties
        noise.verdict noise.reasons noise.seconds noise.repetitions noise.spread noise.wall_per_cpu
        noise.others_share noise.steal_share noise.load_average
    """,
    "measure": f"{_SESSION} comparisons",
    "compare": f"""
        {_SESSION}
        comparisons[].first comparisons[].variant comparisons[].latency comparisons[].throughput
        comparisons[].agreement.max_abs comparisons[].agreement.max_rel comparisons[].agreement.cosine
        comparisons[].agreement.by_order
    """,
    "first-inference": """
        schema command machine repeats others_share failures warnings
        variants[].name variants[].variant variants[].first_over_steady
        variants[].inputs.random variants[].inputs.shapes variants[].inputs.notes
        variants[].stages.import variants[].stages.read variants[].stages.compile variants[].stages.load
        variants[].stages.first variants[].stages.total variants[].stages.second variants[].stages.steady
        variants[].memory.load.peak variants[].memory.load.private
        variants[].memory.first.peak variants[].memory.first.private
        variants[].runs[].import variants[].runs[].read variants[].runs[].compile
        variants[].runs[].first variants[].runs[].second variants[].runs[].steady
        comparisons[].first comparisons[].variant comparisons[].total comparisons[].load comparisons[].memory
    """,
    "diagnose": """
        schema command machine variant effective budget.seconds seconds others_share warnings
        findings[].symptom findings[].page findings[].evidence findings[].remedy findings[].quantity
        findings[].effect findings[].other_remedies
        fine[].symptom fine[].page fine[].evidence open[].symptom open[].page open[].evidence
    """,
    "load": """
        schema command machine seconds limit.percentile limit.milliseconds capacity failures
        curves[].inputs.random curves[].inputs.shapes curves[].inputs.notes
        curves[].name curves[].variant curves[].highest_rate curves[].limit_rate
        curves[].points[].offered curves[].points[].achieved curves[].points[].requests
        curves[].points[].latency.p50 curves[].points[].latency.p95 curves[].points[].latency.p99
        curves[].points[].service_time.p50 curves[].points[].service_time.p95
        curves[].points[].service_time.p99
        curves[].points[].void curves[].points[].overloaded curves[].points[].others_share
        curves[].points[].limit
    """,
    "profile": """
        schema command machine budget.seconds versions others_share failures
        variants[].inputs.random variants[].inputs.shapes variants[].inputs.notes
        variants[].name variants[].variant variants[].rounds variants[].inferences variants[].latency
        variants[].total variants[].effective
        variants[].layers[].name variants[].layers[].origin variants[].layers[].kind
        variants[].layers[].precision variants[].layers[].time variants[].layers[].share
        variants[].kinds[].kind variants[].kinds[].precision variants[].kinds[].layers
        variants[].kinds[].time variants[].kinds[].share
        comparisons[].first comparisons[].variant comparisons[].total comparisons[].kinds
    """,
    "environments": "schema command folders removed",
    "claims": """
        schema command machine measured counts chance.conditions chance.read_back chance.wrong_at_most
        claims[].id claims[].chapter claims[].outcome claims[].page claims[].statement claims[].reasons
        claims[].source.title claims[].source.url
    """,
    "claims MODEL": """
        schema command machine variant int8 budget.seconds seconds counts chance.conditions chance.read_back
        chance.wrong_at_most
        claims[].id claims[].chapter claims[].outcome claims[].page claims[].statement claims[].reasons
        claims[].results claims[].source.title claims[].source.url
    """,
}


def golden(command):
    """The keys that ``command`` prints, at every depth."""
    return set(GOLDEN[command].split())


def keys(value, path=""):
    """The keys of ``value`` at every depth, such as ``variants[].latency.p50``.

    An estimate and a comparison count as one value, once they are seen to have all of their own keys.
    """
    if isinstance(value, list):
        return set().union(*(keys(item, f"{path}[]") for item in value)) or {path}
    if not value or not isinstance(value, dict) or path.rpartition(".")[2] in OPAQUE:
        return {path.removesuffix("[]")}
    if value.keys() == COMPARISON:
        return keys(value["ratio"], path)
    if "low" in value:
        assert value.keys() == ESTIMATE, path
        return {path}
    return set().union(*(keys(item, f"{path}.{key}" if path else key) for key, item in value.items()))
