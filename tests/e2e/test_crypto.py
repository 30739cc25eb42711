"""moontrail.crypto: digests, codecs, random bytes, seals, and what passwords are kept as."""
import base64
import hashlib
import hmac
import json
import re
import uuid

import pytest

from scripted import SCRIPT, Raised, lua, run_on

SCRIPTS = {"index.lua": SCRIPT}


@pytest.fixture(name="run")
def fixture_run(client):
    return lambda code: run_on(client, code)


def raised(run, code):
    """The error of the code: misuse, a string with its position."""
    with pytest.raises(Raised) as info:
        run(code)
    return info.value.args[0]


# Digests.

NAMES = {"md5": "md5", "sha1": "sha1", "sha224": "sha224", "sha256": "sha256", "sha384": "sha384",
         "sha512": "sha512", "sha512-224": "sha512_224", "sha512-256": "sha512_256",
         "sha3-224": "sha3_224", "sha3-256": "sha3_256", "sha3-384": "sha3_384",
         "sha3-512": "sha3_512", "blake2s256": "blake2s", "blake2b512": "blake2b"}
TEXTS = [b"", b"\0", b"moon", bytes(range(256)) * 5]


def test_digests_are_those_of_another_library(run):
    for name, other in NAMES.items():
        for text in TEXTS:
            got = run(f'return crypto.hex.encode(crypto.digest("{name}", {lua(text)}))')
            assert got == hashlib.new(other, text).hexdigest(), name


def test_hmacs_are_those_of_another_library(run):
    for name in ("md5", "sha1", "sha256", "sha512", "sha3-256"):
        for key in (b"", b"key", b"k" * 300):
            got = run(f'return crypto.hex.encode(crypto.hmac("{name}", {lua(key)}, {lua(TEXTS[3])}))')
            assert got == hmac.new(key, TEXTS[3], NAMES[name]).hexdigest(), name


def test_hmac_of_the_standard(run):  # RFC 4231 4.3
    assert run('return crypto.hex.encode(crypto.hmac("sha256", "Jefe", "what do ya want for nothing?"))') == \
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


@pytest.mark.parametrize("code, problem", [
    ('crypto.digest("sha", "x")', "#1 to 'digest' (there is no digest 'sha')"),
    ('crypto.digest("sha256")', "#2 to 'digest' (string expected, got no value)"),
    ('crypto.hmac("sha257", "k", "x")', "#1 to 'hmac' (there is no digest 'sha257')"),
    ('crypto.random(-1)', "#1 to 'random' (not within 0..1048576 bytes)"),
    ('crypto.random(1048577)', "#1 to 'random' (not within 0..1048576 bytes)"),
    ('crypto.equal("a")', "#2 to 'equal' (string expected, got no value)"),
    ('crypto.seal(("k"):rep(31), "x")', "#1 to 'seal' (a key is 32 bytes, not 31)"),
    ('crypto.open(("k"):rep(33), "x")', "#1 to 'open' (a key is 32 bytes, not 33)"),
    ('crypto.seal("", "x")', "#1 to 'seal' (a key is 32 bytes, not 0)"),
    ('crypto.hex.decode({})', "#1 to 'decode' (string expected, got table)"),
    ('crypto.base64.encode()', "#1 to 'encode' (string expected, got no value)"),
    ('crypto.password.hash()', "#1 to 'hash' (string expected, got no value)"),
    ('crypto.password.verify("x")', "#2 to 'verify' (string expected, got no value)"),
    ('mt.escape.html()', "#1 to 'html' (string expected, got no value)"),
    ('mt.http_date(1e300)', "#1 to 'http_date' (not within the years 0 to 9999)"),
    ('mt.http_date(0/0)', "#1 to 'http_date' (not within the years 0 to 9999)"),
])
def test_misuse_is_told_at_the_line(run, code, problem):
    assert raised(run, f"\n{code}") == f"run:2: bad argument {problem}"


# Codecs.

def test_codecs_are_those_of_another_library(run):
    for n in range(40):
        data = bytes((7 * i + n) & 255 for i in range(n))
        got = run(f"local s = {lua(data)} return crypto.base64.encode(s), crypto.base64url.encode(s), crypto.hex.encode(s)")
        assert got == [base64.b64encode(data).decode(),
                       base64.urlsafe_b64encode(data).decode().rstrip("="), data.hex()]
        assert run(f"""
            local s = {lua(data)}
            for _, name in ipairs {{ "base64", "base64url", "hex" }} do
                local codec = crypto[name]
                assert(codec.decode(codec.encode(s)) == s)
            end
            assert(crypto.base64url.decode("{got[1]}" .. ("="):rep(-#"{got[1]}" % 4)) == s)
            assert(crypto.hex.decode(crypto.hex.encode(s):upper()) == s)
            return true""")


@pytest.mark.parametrize("codec, text, why", [
    ("base64", "a", "the text is no base64"),
    ("base64", "ab=", "the text is no base64"),
    ("base64", "abc==", "the text is no base64"),
    ("base64", "=", "the text is no base64"),
    ("base64", "ab cd", "the text is no base64"),
    ("base64", "abcd\\n", "the text is no base64"),
    ("base64", "ab-_", "the text is no base64"),
    ("base64url", "ab+/", "the text is no base64url"),
    ("base64url", "ab==cdef", "the text is no base64url"),
    ("base64url", "ab\\0d", "the text is no base64url"),
    ("hex", "abc", "an odd number of hexadecimal digits"),
    ("hex", "abcg", "no hexadecimal digit at 4"),
    ("hex", "0x", "no hexadecimal digit at 2"),
    ("hex", "\\xff\\xff", "no hexadecimal digit at 1"),
])
def test_what_is_no_text_of_a_codec_is_told(run, codec, text, why):
    assert run(f'return crypto.{codec}.decode("{text}")') == [None, why]


def test_decoding_takes_time_in_proportion(run):
    """A text ten times as long takes some ten times as long, whatever is wrong with it."""
    code = """
        local function time(f, s)
            local best = math.huge
            for _ = 1, 3 do
                mt.sleep(0)
                local begun = os.clock()
                f(s)
                best = math.min(best, os.clock() - begun)
            end
            return best
        end
        local key = ("k"):rep(32)
        local verify = crypto.jwt.verify
        local cases = {
            function(s) crypto.hex.decode(s) end,
            function(s) crypto.base64.decode(s) end,
            function(s) crypto.base64url.decode(s .. "+") end,
            function(s) crypto.open(key, s) end,
            function(s) verify(s, "key", { alg = "HS256" }) end,
            function(s) verify(s:gsub("a", "."), "key", { alg = "HS256" }) end,
            function(s) verify("eyJhbGciOiJIUzI1NiJ9." .. s .. "." .. s, "key", { alg = "HS256" }) end,
            function(s) mt.escape.html(s) end,
            function(s) mt.escape.url(s) end,
        }
        for i, case in ipairs(cases) do
            local short, long = time(case, ("a"):rep(40000)), time(case, ("a"):rep(400000))
            assert(long < 40 * short + 1, ("case %d: %f, %f"):format(i, short, long))
        end
        return true"""
    assert run(code)


# Random bytes.

def test_random_bytes_differ(run):
    made = run("""
        local made = {}
        for i = 1, 50 do made[i] = crypto.hex.encode(crypto.random(16)) end
        made[51] = #crypto.random(0) .. " " .. #crypto.random(1048576)
        return made""")
    assert made.pop() == "0 1048576"
    assert len(set(made)) == 50 and all(len(one) == 32 for one in made)


def test_uuids_are_random_ones(run):
    made = run("local made = {} for i = 1, 50 do made[i] = crypto.uuid() end return made")
    assert len(set(made)) == 50
    for one in made:
        assert str(uuid.UUID(one)) == one and uuid.UUID(one).version == 4
        assert uuid.UUID(one).variant == uuid.RFC_4122


def test_equal(run):
    assert run("""return crypto.equal("", ""), crypto.equal("a\\0b", "a\\0b"), crypto.equal("a\\0b", "a\\0c"),
                         crypto.equal("a", "ab"), crypto.equal("", "a")""") == \
        [True, True, False, False, False]


# Seals.

def test_seal_is_nonce_text_and_tag(run):
    """The cases 13, 14 and 16 of the mode's authors, whose nonces are known."""
    for key, sealed, ad, text in [
            ("00" * 32, "00" * 12 + "530f8afbc74536b9a963b4f1c4cb738b", "", ""),
            ("00" * 32, "00" * 12 + "cea7403d4d606b6e074ec5d3baf39d18"
                        "d0d1c8a799996bf0265b98b5d48ab919", "", "00" * 16),
            ("feffe9928665731c6d6a8f9467308308" * 2, "cafebabefacedbaddecaf888"
             "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
             "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
             "76fc6ece0f4e1768cddf8853bb2d551b", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
             "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39")]:
        assert run(f"""local d = crypto.hex.decode
            return crypto.hex.encode(crypto.open(d "{key}", d "{sealed}", d "{ad}"))""") == text


def test_seal_opens_with_its_key_and_data_alone(run):
    assert run("""
        local key, other = crypto.random(32), crypto.random(32)
        for _, text in ipairs { "", "x", ("text\\0"):rep(50000) } do
            local sealed = crypto.seal(key, text, "ad")
            assert(#sealed == #text + 28)
            assert(crypto.seal(key, text, "ad") ~= sealed)
            assert(crypto.open(key, sealed, "ad") == text)
            assert(crypto.open(other, sealed, "ad") == nil)
            assert(crypto.open(key, sealed) == nil and crypto.open(key, sealed, "ae") == nil)
            assert(crypto.open(key, sealed .. "x", "ad") == nil)
            assert(crypto.open(key, sealed:sub(2), "ad") == nil)
        end
        assert(crypto.open(key, crypto.seal(key, "x"), "") == "x")
        return true""")


def test_no_other_text_opens(run):
    """Each byte changed, each length that is too short: no nonce, no tag, half a tag."""
    assert run("""
        local key = crypto.random(32)
        local sealed = crypto.seal(key, "some text")
        for i = 1, #sealed do
            local byte = sealed:byte(i)
            for _, bit in ipairs { 1, 128 } do
                local changed = sealed:sub(1, i - 1) .. string.char(byte ~ bit) .. sealed:sub(i + 1)
                assert(crypto.open(key, changed) == nil)
            end
            assert(crypto.open(key, sealed:sub(1, i - 1)) == nil)
        end
        return true""")


# Passwords.

def scrypt_text(password, salt, ln, r, p, n=32):
    """A hash by another library, as it is written."""
    made = hashlib.scrypt(password, salt=salt, n=1 << ln, r=r, p=p, dklen=n, maxmem=1 << 28)
    texts = (base64.b64encode(data).decode().rstrip("=") for data in (salt, made))
    return "$scrypt$ln={},r={},p={}${}${}".format(ln, r, p, *texts)  # pylint: disable=consider-using-f-string


def verify(run, password, text):
    return run(f"return crypto.password.verify({lua(password)}, {lua(text.encode())})")


def test_hash_is_one_of_scrypt(run):
    text, again = run("return crypto.password.hash('p\\xc3\\xa4ss'), crypto.password.hash('p\\xc3\\xa4ss')")
    match = re.fullmatch(r"\$scrypt\$ln=15,r=8,p=3\$([\w+/]{22})\$([\w+/]{43})", text)
    assert match and again != text
    assert scrypt_text("päss".encode(), base64.b64decode(match[1] + "=="), 15, 8, 3) == text
    assert run(f"""return crypto.password.verify("p\\xc3\\xa4ss", "{text}"), crypto.password.verify("pass", "{text}")
        """) == [True, False]


@pytest.mark.parametrize("password, salt, costs, wanted", [  # RFC 7914 12
    (b"", b"", (4, 1, 1), "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                          "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"),
    (b"password", b"NaCl", (10, 8, 16),
     "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
     "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"),
    (b"pleaseletmein", b"SodiumChloride", (14, 8, 1),
     "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
     "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"),
])
def test_hashes_of_the_standard(run, password, salt, costs, wanted):
    text = scrypt_text(password, salt, *costs, n=64)
    assert base64.b64decode(text.rsplit("$", 1)[1] + "==").hex() == wanted
    assert verify(run, password, text)
    assert not verify(run, password + b"x", text)


def test_costs_that_are_still_made(run):
    for costs in ((16, 8, 1), (1, 1, 1), (4, 8, 100)):
        assert verify(run, b"x", scrypt_text(b"x", b"salt", *costs)), costs


SALT, HASH = "c2FsdA", "A" * 43


@pytest.mark.parametrize("costs", [
    "ln=17,r=8,p=1", "ln=16,r=9,p=1", "ln=15,r=8,p=13", "ln=20,r=8,p=1", "ln=63,r=1,p=1",
    "ln=64,r=1,p=1", "ln=99999999999999999999,r=8,p=1", "ln=4294967311,r=8,p=3", "ln=15,r=4294967304,p=3",
    "ln=15,r=999999999,p=999999999", "ln=1,r=999999999,p=1", "ln=1,r=1,p=999999999", "ln=1,r=8192,p=8192",
    "ln=0,r=8,p=1", "ln=15,r=0,p=1", "ln=15,r=8,p=0", "ln=-1,r=8,p=1", "ln=015,r=8,p=3", "ln=16,r=1,p=1",
    "ln=,r=8,p=3", "ln=15,p=3,r=8", "ln=15,r=8", "ln=15,r=8,p=3,x=1", "ln=15, r=8,p=3", "ln=1e1,r=8,p=3",
])
def test_costs_that_nobody_makes(run, costs):
    assert verify(run, b"x", f"$scrypt${costs}${SALT}${HASH}") is False


@pytest.mark.parametrize("text", [
    "", "x", "$", "$scrypt$", "scrypt$ln=4,r=1,p=1$c2FsdA$" + HASH, f"$scrypt$ln=4,r=1,p=1${SALT}",
    f"$scrypt$ln=4,r=1,p=1${SALT}$", f"$scrypt$ln=4,r=1,p=1${SALT}$AAAA", f"$scrypt$ln=4,r=1,p=1${SALT}${HASH}$",
    f"$scrypt$ln=4,r=1,p=1${SALT}${HASH}\0", f"$scrypt$ln=4,r=1,p=1$*${HASH}", f"$scrypt$ln=4,r=1,p=1${SALT}$*{HASH}",
    f"$scrypt$ln=4,r=1,p=1${'A' * 1000}${HASH}", f"$scrypt$ln=4,r=1,p=1${SALT}${'A' * 1000}",
    f"$argon2id$v=19$m=65536,t=3,p=4${SALT}${HASH}", f"$2b$12${HASH}", f"$SCRYPT$ln=4,r=1,p=1${SALT}${HASH}",
])
def test_what_is_no_hash_verifies_nothing(run, text):
    assert verify(run, b"x", text) is False


def test_other_requests_are_served_meanwhile(server, connect):
    """The hash is in a thread: what was asked behind it on the same connection is there before."""
    client = connect(server.https)
    slow = client.request("/", "POST", body=b"crypto.password.hash('x') return 1")
    assert client.fetch("/", "POST", body=b"return 2").text == "[true,2]"
    assert not client.so_far(slow).over
    assert client.response(slow).text == "[true,1]"


def test_more_than_can_wait_are_refused(server, connect):
    client = connect(server.https)
    code = b"""
        local tasks, limit, made = {}, 0, 0
        local hash = "$scrypt$ln=1,r=1,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        for i = 1, 70 do
            tasks[i] = mt.spawn(function()
                local ok, err = pcall(crypto.password.verify, "x", hash)
                if ok then made = made + 1 return end
                assert(err.kind == "limit" and err.limit == "passwords")
                limit = limit + 1
            end)
        end
        for i = 1, 70 do tasks[i]:join() end
        return made, limit"""
    assert client.fetch("/", "POST", body=code).text == "[true,66,4]"


def test_aborted_hashes_leave_nothing(server, connect):
    """Some run, some wait, and some find no place: all are reset; the next hash is made in turn. What
    is lost would be found when the server stops."""
    client = connect(server.https)
    for _ in range(2):
        streams = [client.request("/", "POST", body=b"return crypto.password.hash('x')") for _ in range(6)]
        client.ping()
        for stream in streams:
            client.reset(stream)
    assert client.fetch("/", "POST", body=b"return #crypto.password.hash('x')").text == "[true,88]"


def test_a_deadline_ends_the_wait_for_a_hash(run):
    result = run("""
        local ok, err
        local one = mt.spawn(function() crypto.password.hash("x") end)
        local two = mt.spawn(function() crypto.password.hash("x") end)
        ok, err = pcall(function()
            local task = mt.spawn(function() return crypto.password.hash("x") end)
            mt.sleep(0)
            task:cancel()
            return task:join()
        end)
        one:join() two:join()
        return ok, err.kind""")
    assert result == [False, "abort"]


# Beside the module.

def test_escapes(run):
    assert run("""return mt.escape.html("<a href=\\"x\\" title='y'>&amp; \\xc3\\xa4</a>"), mt.escape.html(""),
                         mt.escape.url("a b&c=d/e?f#g+h~i-j_k.l%\\xc3\\xa4"), mt.escape.html(12)""") == [
        "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;amp; ä&lt;/a&gt;", "",
        "a%20b%26c%3Dd%2Fe%3Ff%23g%2Bh~i-j_k.l%25%C3%A4", "12"]


def test_http_date(run):
    assert run("""return mt.http_date(784111777), mt.http_date(0), mt.http_date(784111777.9),
                         mt.http_date(253402300799), #mt.http_date()""") == [
        "Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT", 29]


def basic(text):
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize("values, wanted", [
    ([basic(b"user:pass")], ["user", "pass"]),
    (["bAsIc   " + base64.b64encode(b"user:pass").decode()], ["user", "pass"]),
    ([basic("üser:a:b:ä".encode())], ["üser", "a:b:ä"]),
    ([basic(b":")], ["", ""]),
    ([basic(b"user:")], ["user", ""]),
    ([], None),
    (["Basic"], None),
    (["Basic "], None),
    ([basic(b"nocolon")], None),
    ([basic(b"us\0er:pass")], None),
    ([basic(b"user:pa\nss")], None),
    (["Basic !!!!"], None),
    (["Bearer dXNlcjpwYXNz"], None),
    (["Basicx dXNlcjpwYXNz"], None),
    ([basic(b"a:b"), basic(b"c:d")], None),
])
def test_basic_auth(client, values, wanted):
    response = client.fetch("/", "POST", headers=[("authorization", value) for value in values],
                            body=b"return ctx:basic_auth()")
    assert json.loads(response.text)[1:] == (wanted or [None])
