"""The results as a picture: bars of the cost, the product's in a colour of its own."""
from html import escape

WIDTH, LABELS, BAR, GAP, HEAD, MARGIN = 760, 190, 16, 7, 34, 16
OURS, OTHERS = "#c2410c", "#94a3b8"
STYLE = ("text{font:12px sans-serif;fill:#1e293b}.title{font-weight:bold;font-size:13px}"
         ".note{fill:#64748b}")
PANELS = [("hello", "Hello: CPU for a request, microseconds"),
          ("trailer", "Hello with a trailer: CPU for a request, microseconds"),
          ("grpc", "gRPC unary: CPU for a call, microseconds"),
          ("proxy", "Reverse proxy: CPU for a request, microseconds")]


def request_bars(results, case):
    rows = [row for row in results["requests"] if row["case"] == case]
    return [(row["label"], row["cpu_us_per_request"]["median"],
             f"{row['ratio']['median']:.1f} x" if "ratio" in row else "")
            for row in rows]


def idle_bars(results):
    return [(name, found["idle_bytes"] / 1024, "")
            for name, found in results["connections"].items()]


def panel(title, bars, top):
    """The lines of one panel, and where the next begins."""
    lines = [f'<text class="title" x="{MARGIN}" y="{top + 16}">{escape(title)}</text>']
    longest = max(value for _, value, _ in bars) or 1
    y = top + HEAD - 8
    for label, value, note in sorted(bars, key=lambda bar: bar[1]):
        length = value / longest * (WIDTH - LABELS - 2 * MARGIN - 110)
        colour = OURS if label.startswith("moontrail") else OTHERS
        base = y + BAR - 4
        lines += [
            f'<text x="{MARGIN}" y="{base}">{escape(label)}</text>',
            f'<rect x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LABELS + length + 6:.1f}" y="{base}">{value:,.1f}'
            f'<tspan class="note" dx="8">{escape(note)}</tspan></text>',
        ]
        y += BAR + GAP
    return lines, y + MARGIN


def svg(results):
    lines, y = [], MARGIN
    panels = [(title, request_bars(results, case)) for case, title in PANELS]
    panels.append(("Memory for an idle TLS connection, KiB", idle_bars(results)))
    for title, bars in panels:
        if bars:
            drawn, y = panel(title, bars, y)
            lines += drawn
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}"'
            f' viewBox="0 0 {WIDTH} {y}" role="img">')
    frame = f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>'
    return "\n".join([head, "<title>What moontrail and its peers cost</title>",
                      f"<style>{STYLE}</style>", frame, *lines, "</svg>"]) + "\n"
