"""The results in words: tables in Markdown, which read well in a terminal too."""

REQUEST_HEADS = ["server", "CPU us/request", "requests/s", "core busy", "ratio"]
CONNECTION_HEADS = ["server", "full, CPU us", "full/s", "resumed, CPU us", "resumed/s",
                    "idle, KiB"]
BUSY = 0.5  # a load average beyond this is other work


def spread(summary, digits=2):
    if not summary:
        return ""
    middle, low, high = (f"{summary[key]:,.{digits}f}" for key in ("median", "q1", "q3"))
    return f"{middle} ({low} to {high})"


def rate(summary):
    """How many fit into a second of one core."""
    return f"{1e6 / summary['median']:,.0f}" if summary else ""


def aligned(heads, lines):
    """A Markdown table whose columns stand one below the other."""
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]
    rows = [heads, ["-" * (width - (i > 0)) + ":" * (i > 0) for i, width in enumerate(widths)],
            *lines]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                          for i, (cell, width) in enumerate(zip(row, widths))) + " |"
        for row in rows)


def request_table(rows):
    return aligned(REQUEST_HEADS, [
        [row["label"], spread(row["cpu_us_per_request"]),
         spread(row["requests_per_second"], 0), f"{row['core_busy']['median']:.0%}",
         spread(row.get("ratio"))]
        for row in rows])


def connection_table(connections):
    return aligned(CONNECTION_HEADS, [
        [name, spread(found["full"], 0), rate(found["full"]), spread(found["resumed"], 0),
         rate(found["resumed"]), f"{found['idle_bytes'] / 1024:,.1f}"]
        for name, found in connections.items()])


def sections(results):
    """Pairs of a title and a table."""
    cases = {}
    for row in results["requests"]:
        cases.setdefault(row["case"], []).append(row)
    for rows in cases.values():
        case, label = rows[0]["reference"]
        where = label if case == rows[0]["case"] else f"{label}, {case}"
        yield f"{rows[0]['title']}. The ratio is to {where}", request_table(rows)
    if results["connections"]:
        yield ("TLS connections: handshakes, and the memory of an idle one",
               connection_table(results["connections"]))


def conditions(results):
    """One paragraph: where, when, and how."""
    busy = results["load_before"] > BUSY
    words = [
        f"{results['time']}, Linux {results['kernel']}, {results['cpu']},"
        f" {results['cores']} cores{', busy with other work' if busy else ''}.",
        f"{results['rounds']} rounds; median (quartiles).",
    ]
    words += [f"Left out: {name} ({why})." for name, why in results["left_out"].items()]
    return " ".join(words)


def text(results):
    parts = [conditions(results)]
    for title, table in sections(results):
        parts += [f"**{title}**", table]
    return "\n\n".join(parts) + "\n"
