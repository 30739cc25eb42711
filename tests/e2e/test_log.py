"""The log, and the pages for errors."""
import json

from server import ANY_PORT

SCRIPTS = {
    "fail.lua": """
        local function broken() error("no <luck>") end
        return function(ctx)
            broken()
        end""",
    "print.lua": r"""
        local mt = require "moontrail"
        return function(ctx)
            print("quote \" tab \t line \n bell \a bad \xff é", nil, 1.5, true)
            mt.log.debug("quiet")
            mt.log.info("told", { count = 3, ratio = 0.5, yes = true, text = "two words" })
            mt.log.warn("odd")
            mt.log.error("bad")
        end""",
}


def test_every_line_is_json(start, connect):
    server = start(SCRIPTS, "--log-format", "json", "--dev")
    client = connect(server.https)
    assert client.fetch("/print").status == 200
    assert client.fetch("/fail").status == 500
    server.wait_for("handler failed")
    client.close()
    server.stop()
    lines = [json.loads(line) for line in server.log]
    assert all(line["time"] and line["level"] and line["event"] for line in lines)
    by_event = {line["event"]: line for line in lines}
    assert by_event["ready"]["listen"] == ",".join(server.urls)
    assert by_event["ready"]["pid"] == server.process.pid
    assert by_event["print"]["text"] == (
        'quote " tab \t line \n bell \a bad \xff é\tnil\t1.5\ttrue')
    told = by_event["told"]
    assert (told["count"], told["ratio"], told["yes"], told["text"]) == (3, 0.5, True, "two words")
    assert [by_event[event]["level"] for event in ("quiet", "told", "odd", "bad")] == [
        "debug", "info", "warn", "error"]
    assert by_event["handler failed"]["traceback"].startswith("stack traceback:\n")
    assert by_event["stopped"]["conns"] == 0


def test_the_level_bounds_the_log(start, connect):
    server = start(SCRIPTS, "--log-level", "info")
    assert connect(server.https).fetch("/print").status == 200
    server.wait_for("error bad")
    assert server.find("told count=3") or server.find("info told ")
    assert not server.find("quiet") and not server.find(" debug ")


def test_development_shows_the_traceback(start, connect):
    page = connect(start(SCRIPTS, "--dev").https).fetch("/fail")
    assert page.status == 500
    assert page.header("content-type") == "text/plain; charset=utf-8"
    assert "/fail.lua:2: no <luck>\n" in page.text
    assert "stack traceback:\n" in page.text and "/fail.lua:4: in function" in page.text


def test_production_hides_it(start, connect):
    server = start(SCRIPTS)
    assert connect(server.https).fetch("/fail").text == "Internal Server Error\n"
    server.wait_for(r"/fail.lua:2: no <luck>.*stack traceback")


def test_ready_tells_every_address(start):
    server = start(SCRIPTS, listen=ANY_PORT + ("http://[::1]:0", "http://localhost:0/"))
    assert len(server.urls) == 4
    assert server.urls[2].startswith("http://[::1]:") and not server.urls[2].endswith(":0")
