"""Figures beside those of their peers: a table, JSON, Markdown, and the plot of a curve."""

import json
import math
import statistics


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values), "values": list(values)}


def row(benchmark, case, unit, values, peer, peer_values):
    """A figure, what it is held against, and the ratio of their medians (None beside a peer of 0).
    `unit` ends in `/s` exactly where more is better."""
    own = spread(values)
    other = spread(peer_values)
    ratio = own["median"] / other["median"] if other["median"] else None
    return {"benchmark": benchmark, "case": case, "unit": unit, **own, "peer": peer,
            "peer_figure": other, "ratio": ratio}


def digits(number):
    """Three significant digits, or all of the whole number."""
    if number is None:
        return "-"
    if number == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(number))))
    return f"{number:,.{places}f}"


LEGEND = ("ratio = figure / figure of the peer, medians; more is better where the unit ends in /s, "
          "less elsewhere")

HEADLINES = ("benchmark", "case", "figure", "min .. max", "peer", "its figure", "min .. max",
             "ratio", "runs")
NUMBERS = (2, 3, 5, 6, 7, 8)


def cells(entry):
    other = entry["peer_figure"]
    return (entry["benchmark"], entry["case"], f"{digits(entry['median'])} {entry['unit']}",
            f"{digits(entry['min'])} .. {digits(entry['max'])}", entry["peer"],
            digits(other["median"]), f"{digits(other['min'])} .. {digits(other['max'])}",
            digits(entry["ratio"]), str(entry["runs"]))


def table(rows):
    lines = [HEADLINES, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADLINES))]
    return "\n".join(
        "  ".join(cell.rjust(width) if column in NUMBERS else cell.ljust(width)
                  for column, (cell, width) in enumerate(zip(line, widths))).rstrip()
        for line in lines)


def machine_line(machine):
    return (f"{machine['cpu']}, {machine['cores']} core(s), Linux {machine['kernel']}, "
            f"databases on {machine['file_system']}, fdatasync of 4 KiB "
            f"{digits(machine['fdatasync_us'])} us, load {machine['load_average']} at the start")


def markdown(results):
    """What belongs between the marks in docs/performance.md."""
    lines = [f"{results['date']}, {results['program']}: {machine_line(results['machine'])}.", "",
             "| " + " | ".join(HEADLINES) + " |",
             "|" + "".join("---:|" if column in NUMBERS else "---|"
                           for column in range(len(HEADLINES)))]
    lines += ["| " + " | ".join(cells(entry)) + " |" for entry in results["rows"]]
    lines += ["", f"({LEGEND}.)"]
    return "\n".join(lines)


def write_json(path, results):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
        file.write("\n")


def write_curve_csv(path, points):
    """points: size of the list, items per second from start to end, and while sending"""
    with open(path, "w", encoding="utf-8") as file:
        file.write("listed,items_per_second,while_sending\n")
        file.writelines(f"{size},{speed:.1f},{sending:.1f}\n" for size, speed, sending in points)


CURVE_STYLE = """\
text { fill: #24292f; font: 12px sans-serif; }
.title { font-size: 15px; font-weight: bold; }
.ground { fill: #ffffff; }
.grid { stroke: #d0d7de; }
.own { fill: #0550ae; stroke: #0550ae; }
.sending { fill: #1a7f37; stroke: #1a7f37; }
.peer { fill: #a40e26; stroke: #a40e26; }
path, polyline { fill: none !important; }
text.own, text.sending, text.peer { stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .ground { fill: #0d1117; }
  .grid { stroke: #3d444d; }
  .own { fill: #79c0ff; stroke: #79c0ff; }
  .sending { fill: #7ee787; stroke: #7ee787; }
  .peer { fill: #ffa198; stroke: #ffa198; }
}"""


def write_curve_svg(path, points, line, line_name):
    """The points of write_curve_csv() over a logarithmic axis, and `line` as a level to compare
    them with. Light or dark, as the reader's system is."""
    width, height, left, right, top, bottom = 720, 420, 90, 50, 60, 60
    low = math.floor(math.log10(points[0][0]))
    high = max(low + 1, math.ceil(math.log10(points[-1][0])))
    peak = max(line, *(max(speeds) for _, *speeds in points))
    step = 10 ** math.floor(math.log10(peak))
    step = next(step * part for part in (0.2, 0.5, 1, 2) if peak / (step * part) <= 8)
    ceiling = math.ceil(peak * 1.08 / step) * step  # room for the figures above the points

    def x(size):
        return left + (math.log10(size) - low) / (high - low) * (width - left - right)

    def y(speed):
        return height - bottom - speed / ceiling * (height - top - bottom)

    def text(at_x, at_y, words, anchor="middle", kind=""):
        named = f' class="{kind}"' if kind else ""
        return f'<text{named} x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}">{words}</text>'

    said = "; ".join(f"{size:,} disks: {speed:,.0f} a second, {sending:,.0f} while sending"
                     for size, speed, sending in points)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}" role="img" aria-labelledby="title description">',
             '<title id="title">Items per second against the length of the list</title>',
             f'<desc id="description">{said}. {line_name}: {line:,.0f} a second.</desc>',
             f"<style>{CURVE_STYLE}</style>",
             f'<rect class="ground" width="{width}" height="{height}"/>',
             text(left, 24, "Items per second against the length of the list", "start", "title"),
             text(left, 44, "from the first request to the last answer", "start", "sending"),
             text(left + 260, 44, "from start to end of the program", "start", "own"),
             text((left + width - right) / 2, height - 15, "disks in the list (logarithmic)")]
    for number in range(round(ceiling / step) + 1):
        level = y(number * step)
        parts.append(f'<path class="grid" d="M{left} {level:.1f}H{width - right}"/>')
        parts.append(text(left - 8, level + 4, f"{number * step:,.0f}", "end"))
    for power in range(low, high + 1):
        parts.append(f'<path class="grid" d="M{x(10 ** power):.1f} {top}V{height - bottom}"/>')
        parts.append(text(x(10 ** power), height - bottom + 20, f"{10 ** power:,}"))
    parts.append(f'<path class="peer" d="M{left} {y(line):.1f}H{width - right}" '
                 'stroke-width="2" stroke-dasharray="6 4"/>')
    parts.append(text(width - right, y(line) - 7, f"{line_name}: {line:,.0f}", "end", "peer"))
    for kind, place, below in (("sending", 2, -10), ("own", 1, 20)):
        track = " ".join(f"{x(point[0]):.1f},{y(point[place]):.1f}" for point in points)
        parts.append(f'<polyline class="{kind}" points="{track}" stroke-width="2"/>')
        for point in points:
            size, speed = point[0], point[place]
            parts.append(f'<circle class="{kind}" cx="{x(size):.1f}" cy="{y(speed):.1f}" r="4"/>')
            # The first and the last stay within the axes.
            anchor = {points[0][0]: "start", points[-1][0]: "end"}.get(size, "middle")
            parts.append(text(x(size), y(speed) + below, f"{speed:,.0f}", anchor, kind))
    parts.append("</svg>")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts) + "\n")
