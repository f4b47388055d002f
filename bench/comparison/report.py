"""From the values of all rounds to ratios, verdicts, the table and the JSON file."""

import json
import statistics

from .peers import ALL, Floor, Haproxy, Haproxy64, Nginx, Node

RIVALS = (Nginx.name, Haproxy.name, Haproxy64.name)


def paired_ratio(over, under):
    """Median of the ratios of pairs of the same round: what slows the machine for a while slows both of a pair."""
    pairs = [a / b for a, b in zip(over, under) if a is not None and b]
    return statistics.median(pairs) if pairs else None


def judge(row, values):
    """values: {peer: [a value for each round]}. What the table and the JSON file say about one row."""
    peers = {name: {"median": statistics.median(runs), "runs": runs} for name, runs in values.items() if runs}
    said = {"title": row.title, "unit": row.unit, "peers": peers, "ratio_to_floor": {}, "goal": None, "goal_met": None,
            "better_than_nginx_and_haproxy": None}
    if Floor.name in values:
        said["ratio_to_floor"] = {name: paired_ratio(runs, values[Floor.name]) for name, runs in values.items() if name != Floor.name}
    if row.goal_ratio is not None:
        said["goal"] = f"<= {row.goal_ratio:.2f} x {row.against}"
        ratio = said["ratio_to_floor"].get(Node.name)
        said["goal_met"] = None if ratio is None else ratio <= row.goal_ratio
    elif row.goal is not None:
        said["goal"] = f"<= {row.goal:g} {row.unit}".strip()
        said["goal_met"] = peers[Node.name]["median"] <= row.goal if Node.name in peers else None
    rivals = [name for name in RIVALS if name in peers]
    if Node.name in peers and {Nginx.name, Haproxy.name} <= set(rivals) and row.gate:
        against = {name: paired_ratio(values[Node.name], values[name]) for name in rivals}
        said["node_against"] = against
        said["better_than_nginx_and_haproxy"] = all(ratio is not None and ratio < 1 for ratio in against.values())
    return said


def figure(value):
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def verdict(held):
    return {True: "yes", False: "NO", None: "-"}[held]


def table(results, peers):
    """results: {scenario: {row: judged}}."""
    names = [peer.name for peer in peers]
    head = ["", "what", "unit", *(ALL[name].title for name in names), "node/floor", "goal", "met", "better than nginx and HAProxy"]
    lines = [head]
    for scenario, rows in results.items():
        for row in rows.values():
            values = [figure(row["peers"][name]["median"]) if name in row["peers"] else "-" for name in names]
            lines.append([scenario, row["title"], row["unit"], *values, figure(row["ratio_to_floor"].get(Node.name)), row["goal"] or "-",
                          verdict(row["goal_met"]), verdict(row["better_than_nginx_and_haproxy"])])
            scenario = ""
    return render(lines)


def render(lines):
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    out = []
    for number, line in enumerate(lines):
        out.append("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if number == 0:
            out.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(out)


def write_json(path, document):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
