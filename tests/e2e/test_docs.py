"""The examples in the documents: each gives what is printed behind it."""
import json
import re
import subprocess
from operator import itemgetter

import pytest
from h2.errors import ErrorCodes

from handlers import WALK
from server import ROOT
from upstreams import free_port

SCRIPTS = {"index.lua": WALK}

EXAMPLE = re.compile(r"```lua\n(.*?)```\n```text\n(.*?)```", re.S)
REQUEST = re.compile(r"-- (\w+) (\S+) ?(.*)\n((?:-- (?:trailer )?[\w-]+: .*\n)*)")
FIELD = re.compile(r"-- (trailer )?([\w-]+): (.*)")


API = (ROOT / "docs/api.md").read_text()
DATA = (ROOT / "docs/data.md").read_text()
EXAMPLES = [example for document in ("api", "data", "protobuf")
            for example in EXAMPLE.findall((ROOT / f"docs/{document}.md").read_text())]

# How the reference writes what belongs to a class of the runtime.
OWNERS = {"moontrail.ctx": "ctx:", "moontrail": "mt.", "moontrail.log": "mt.log.",
          "moontrail.http": "mt.http.", "moontrail.http.response": "res:",
          "moontrail.socket": "mt.socket.", "moontrail.socket.connection": "socket:",
          "moontrail.task": "task:", "moontrail.channel": "channel:",
          "moontrail.hook": "hook:", "moontrail.process": "process:",
          "moontrail.base64": "base64.", "moontrail.json": "json.", "moontrail.zlib": "zlib.",
          "moontrail.store": "store.", "moontrail.store.map": "s:", "moontrail.store.lock": "lock:",
          "moontrail.store.subscription": "sub:", "moontrail.limiter": "limit:",
          "moontrail.zlib.deflate": "stream:", "moontrail.zlib.inflate": "stream:"}
# Those in documents of their own.
ELSEWHERE = ("moontrail.protobuf", "moontrail.grpc", "moontrail.redis", "moontrail.resty",
             "moontrail.sql")
PLAIN = {"moontrail.options", "moontrail.worker"}  # fields alone


def transcript(response, wanted):
    """What the client got, in the form of the documents: of the headers, those that they name."""
    lines = []
    for status, fields in response.informs:
        lines += [str(status), *(f"{name}: {value}" for name, value in fields), ""]
    if response.headers:
        lines += [str(response.status)]
        lines += [f"{name}: {value}" for name, value in sorted(response.headers, key=itemgetter(0))
                  if f"\n{name}: " in wanted]
    if response.body:
        lines += ["", response.text.rstrip("\n")]
    if response.trailers:
        lines += ["", *(f"{name}: {value}" for name, value in response.trailers)]
    if response.reset is not None:
        lines += [f"reset: {ErrorCodes(response.reset).name}"]
    return "\n".join(lines)


def fetch(client, method, target, body, lines):
    """Makes the request that an example names in its first lines."""
    fields = [match.groups() for match in FIELD.finditer(lines)]
    headers, trailers = ([(name, value) for kind, name, value in fields if bool(kind) == wanted]
                         for wanted in (False, True))
    stream = client.request(target, method, headers, body.encode(), end=not trailers)
    if trailers:
        client.h2.send_headers(stream, trailers, end_stream=True)
        client.flush()
    return client.response(stream)


@pytest.mark.parametrize("code, wanted", EXAMPLES, ids=range(len(EXAMPLES)))
def test_example_gives_what_is_printed(code, wanted, start, connect, tmp_path):
    script = tmp_path / "example.lua"
    script.write_text(code)
    response = fetch(connect(start(script).https), *REQUEST.match(code).groups())
    assert transcript(response, "\n" + wanted) == wanted.rstrip("\n")


@pytest.fixture
def grpc_of_the_document(start):
    """A server of the document's files, and the document, at a port of their own."""
    text = (ROOT / "docs/grpc.md").read_text().replace(":8080", f":{free_port()}")
    url = re.search(r"http://127\.0\.0\.1:\d+", text)[0]
    files = dict(re.findall(r"```(?:proto|lua)\n(?://|--) (\S+)\n(.*?)```", text, re.S))
    return start(files, listen=("https://127.0.0.1:0", url)), text


def test_grpc_service_of_the_document_answers_curl(grpc_of_the_document, tmp_path):
    _, text = grpc_of_the_document
    command = re.search(r"^    \{ printf.*?\n\n", text, re.S | re.M)[0]
    output = subprocess.check_output(["sh", "-c", command], cwd=tmp_path / "scripts", timeout=30)
    assert output == b'message: "Hello moon"\n'


def test_grpc_service_of_the_document_answers_json(grpc_of_the_document):
    _, text = grpc_of_the_document
    command = re.search(r"^    curl -d .*?\n\n", text, re.S | re.M)[0]
    output = subprocess.check_output(["sh", "-c", command.replace("curl", "curl -s")], timeout=30)
    assert output == b'{"message":"Hello moon"}'


def test_grpc_client_of_the_document(grpc_of_the_document, connect):
    server, _ = grpc_of_the_document
    assert connect(server.https).fetch("/hello?name=all").text == \
        "Hello all\n" + "".join(f"Hello you, time {i}\n" for i in (1, 2, 3))


README_SCRIPTS = re.findall(r"```lua\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


def test_readme_begins_with_a_handler_that_works(start, connect):
    client = connect(start({"greet/[name].lua": README_SCRIPTS[0]}).https)
    assert client.fetch("/greet/you").text == '{"greeting":"Hello you"}'
    response = client.fetch("/greet/you", "POST", body=b"milk")
    assert (response.status, response.text) == (201, "milk? you has it.\n")


def test_readme_handler_sends_its_trailer(start, connect, tmp_path):
    script = tmp_path / "readme.lua"
    script.write_text(README_SCRIPTS[1])
    response = connect(start(script).https).fetch("/")
    assert (response.status, response.text) == (200, "Hello world\n")
    assert response.trailers == [("trailername", "TrailerValue")]


def functions_served(client):
    """Each function of the runtime, as the reference writes it."""
    classes = {name: names for name, names in json.loads(client.fetch("/").text).items()
               if not name.startswith(ELSEWHERE) and name not in PLAIN}
    assert classes.keys() == OWNERS.keys()
    return {OWNERS[class_] + name for class_, names in classes.items()
            for name, kind in names.items() if kind == "function"}


def test_every_function_has_a_heading_and_no_other(client):
    assert set(re.findall(r"^### `([\w.:]+)\(.*\)`$", API, re.M)) == functions_served(client)


# As OWNERS, of the document on databases.
DATA_OWNERS = {"moontrail.sql": "sql.", "moontrail.sql.database": "db:",
               "moontrail.sql.transaction": "tx:", "moontrail.sql.rows": "rows:"}


def test_every_function_of_databases_has_a_heading_and_no_other(client):
    served = {DATA_OWNERS[class_] + name
              for class_, names in json.loads(client.fetch("/").text).items()
              if class_ in DATA_OWNERS for name, kind in names.items() if kind == "function"}
    headings = set(re.findall(r"^#+ `((?:sql|db|tx|rows)[.:]\w+)\(.*\)`", DATA, re.M))
    # A transaction has what a database has.
    assert served == headings | {name.replace("db:", "tx:") for name in headings
                                 if name.replace("db:", "tx:") in served}


def test_every_field_is_told(client):
    classes = json.loads(client.fetch("/").text)
    for class_, owner in (("moontrail.ctx", "ctx"), ("moontrail.http.response", "res")):
        for name in (name for name, kind in classes[class_].items() if kind == "field"):
            assert re.search(rf"^\|.*`{owner}\.{name}`", API, re.M), name
    assert {"### `mt.version`", "### `json.null`"} <= set(API.splitlines())


def test_every_function_is_in_an_example(client):
    code = "".join(code for code, _ in EXAMPLES)
    for function in functions_served(client):
        call = re.sub(r"^(task|channel|hook|process|stream|res):", r"\\w+:", function)
        assert re.search(rf"\b{call}\b", code), function
