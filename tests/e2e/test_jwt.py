"""Signed tokens: those of the standards, those that must be refused, and key sets of other servers."""
import base64
import hashlib
import hmac
import json
import subprocess
import threading
import time

import pytest

from scripted import SCRIPT, Raised, lua, lua_json, run_on

SCRIPTS = {"index.lua": SCRIPT}

ASYMMETRIC = {"RS256": "rsa", "RS384": "rsa", "RS512": "rsa", "PS256": "rsa", "PS384": "rsa",
              "PS512": "rsa", "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519"}
ARGUMENTS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
             "small": ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
             "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
             "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
             "p521": ["EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
             "k256": ["EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
             "ed25519": ["ED25519"], "ed448": ["ED448"], "x25519": ["X25519"]}


@pytest.fixture(name="run")
def fixture_run(client):
    return lambda code: run_on(client, code)


@pytest.fixture(name="keys", scope="module")
def fixture_keys(tmp_path_factory):
    """Pairs of PEM by name: private, public."""
    folder, made = tmp_path_factory.mktemp("keys"), {}
    for name, arguments in ARGUMENTS.items():
        file = folder / name
        subprocess.run(["openssl", "genpkey", "-algorithm", *arguments, "-out", file], check=True,
                       capture_output=True)
        public = subprocess.check_output(["openssl", "pkey", "-in", file, "-pubout"])
        made[name] = (file.read_text(), public.decode())
    return made


def sign(run, claims, key, options):
    return run(f"local token = crypto.jwt.sign({lua_json(claims)}, {key}, {options}) return token")


def verify(run, token, key, options):
    """The claims, or nil and why."""
    return run(f"local claims, why = crypto.jwt.verify({lua(token)}, {key}, {options})\n"
               "if claims then return claims end return claims, why")


def encode(data):
    data = json.dumps(data).encode() if not isinstance(data, bytes) else data
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def hs256(header, claims, key):
    """A token by another library, of whatever one likes."""
    signed = encode(header) + "." + encode(claims)
    return signed + "." + encode(hmac.new(key, signed.encode(), hashlib.sha256).digest())


# Of the standards.

JOE = ("eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
       "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ")
HS_JWK = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}
RS_JWK = {"kty": "RSA", "e": "AQAB",
          "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt"
               "0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSX"
               "ndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5"
               "IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}
ES_JWK = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
          "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
ES512_JWK = {"kty": "EC", "crv": "P-521",
             "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
             "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}
ED_JWK = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
ED_PRIVATE = {**ED_JWK, "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}

# RFC 7515 A.1 to A.3: the claims have a time.
TOKENS = {
    "HS256": (HS_JWK, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." + JOE +
              ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    "RS256": (RS_JWK, "eyJhbGciOiJSUzI1NiJ9." + JOE +
              ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W"
              "2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkS"
              "jtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnv"
              "Wh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"),
    "ES256": (ES_JWK, "eyJhbGciOiJFUzI1NiJ9." + JOE +
              ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"),
}


@pytest.mark.parametrize("alg", TOKENS)
def test_tokens_of_the_standard(run, alg):
    key, token = TOKENS[alg]
    claims = {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert verify(run, token, lua_json(key), f'{{ alg = "{alg}", leeway = 1e10, iss = "joe" }}') == claims
    assert verify(run, token, lua_json(key), f'{{ alg = "{alg}" }}') == [None, "the token has expired"]
    head, claims, _ = token.split(".")
    other = encode({"iss": "eve", "exp": 1300819380})
    assert verify(run, f"{head}.{other}.{token.split('.')[2]}", lua_json(key),
                  f'{{ alg = "{alg}", leeway = 1e10 }}') == [None, "the signature is wrong"]


@pytest.mark.parametrize("alg, jwk, signed, signature", [
    ("ES512", ES512_JWK, "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",  # RFC 7515 A.4
     "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt"
     "AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"),
    ("EdDSA", ED_JWK, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",  # RFC 8037 A.5
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"),
])
def test_signatures_of_the_standards_whose_payload_is_no_claims(run, alg, jwk, signed, signature):
    code = f"""
        local keys = require "moontrail.crypto.keys"
        local key = assert(keys.of({lua_json(jwk)}))
        return keys.verify(key, "{alg}", {lua(signed)}, keys.decode({lua(signature)})),
               keys.verify(key, "{alg}", {lua(signed + 'x')}, keys.decode({lua(signature)}))"""
    assert run(code) == [True, False]
    token = f"{signed}.{signature}"
    assert verify(run, token, lua_json(jwk), f'{{ alg = "{alg}" }}') == [None, "the claims are no object"]


def test_eddsa_of_the_standard_is_made_again(run):  # RFC 8037 A.4
    assert run(f"""
        local keys = require "moontrail.crypto.keys"
        return crypto.base64url.encode(keys.sign(keys.of({lua_json(ED_PRIVATE)}), "EdDSA",
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"))""") == \
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"


# Of this server's own.

@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_shared_bytes_sign_and_verify(run, alg):
    token = sign(run, {"sub": "moon"}, "'secret'", f'{{ alg = "{alg}", kid = "a\\"b" }}')
    head, claims, signature = token.split(".")
    assert json.loads(decode(head)) == {"alg": alg, "typ": "JWT", "kid": 'a"b'}
    assert json.loads(decode(claims)) == {"sub": "moon"}
    assert decode(signature) == hmac.new(b"secret", f"{head}.{claims}".encode(),
                                         "sha" + alg[2:]).digest()
    assert verify(run, token, "'secret'", f'{{ alg = "{alg}" }}') == {"sub": "moon"}
    assert verify(run, token, "'secret'", '{ alg = { "HS256", "HS384", "HS512" } }') == {"sub": "moon"}
    assert verify(run, token, "'other'", f'{{ alg = "{alg}" }}') == [None, "the signature is wrong"]


@pytest.mark.parametrize("alg", [*ASYMMETRIC, "EdDSA ed448"])
def test_pem_keys_sign_and_verify(run, keys, alg):
    alg, _, kind = alg.partition(" ")
    private, public = keys[kind or ASYMMETRIC[alg]]
    token = sign(run, {"sub": "moon"}, lua(private), f'{{ alg = "{alg}" }}')
    for key in (public, private):
        assert verify(run, token, lua(key), f'{{ alg = "{alg}" }}') == {"sub": "moon"}
    for at in (0, 1, 2):
        parts = token.split(".")
        parts[at] = ("A" if parts[at][9] != "A" else "B").join((parts[at][:9], parts[at][10:]))
        assert verify(run, ".".join(parts), lua(public), f'{{ alg = "{alg}" }}')[0] is None
    for text in (token + "A" * 4, token[:-4], token.rsplit(".", 1)[0] + ".", token + ".", token + "=",
                 "." + token, token.replace(".", ",", 1)):
        assert verify(run, text, lua(public), f'{{ alg = "{alg}" }}')[0] is None


def test_a_certificate_verifies(run, local_certificate):
    token = sign(run, {"sub": "moon"}, lua(local_certificate.key.read_text()), '{ alg = "ES256" }')
    assert verify(run, token, lua(local_certificate.cert.read_text()), '{ alg = "ES256" }') == {"sub": "moon"}


def test_a_jwk_says_what_it_is_for(run):
    jwk = {"kty": "oct", "k": encode(b"secret"), "alg": "HS384", "kid": "one"}
    token = sign(run, {"n": 1}, lua_json(jwk), "nil")
    assert json.loads(decode(token.split(".")[0])) == {"alg": "HS384", "typ": "JWT", "kid": "one"}
    assert verify(run, token, lua_json(jwk), "nil") == {"n": 1}
    assert verify(run, token, lua_json(jwk), '{ alg = "HS256" }') == [None, "the token's algorithm is HS384"]
    other = sign(run, {"n": 1}, "'secret'", '{ alg = "HS256" }')
    assert verify(run, other, lua_json(jwk), "nil") == [None, "there is no key for the token"]
    assert verify(run, other, lua_json(jwk), '{ alg = { "HS256", "HS384" } }') == \
        [None, "there is no key for the token"]


# Claims.

@pytest.mark.parametrize("claims, options, why", [
    ({"exp": "+1000"}, "", None),
    ({"exp": "-1000"}, "", "the token has expired"),
    ({"exp": "-1000"}, "leeway = 2000", None),
    ({"exp": "+0"}, "", "the token has expired"),
    ({"exp": "-1000.5"}, "leeway = 1000", "the token has expired"),
    ({"nbf": "+1000"}, "", "the token is not valid yet"),
    ({"nbf": "+1000"}, "leeway = 2000", None),
    ({"nbf": "-1000", "exp": "+1000", "iat": "+0"}, "", None),
    ({"exp": 0}, "", "the token has expired"),
    ({"exp": -1e300}, "leeway = 1e200", "the token has expired"),
    ({"exp": 1e300}, "", None),
    ({"nbf": 1e300}, "leeway = 1e200", "the token is not valid yet"),
    ({"exp": 2**63}, "", None),
    ({"exp": "soon"}, "", "exp is no number"),
    ({"exp": None}, "", "exp is no number"),
    ({"exp": [1e300]}, "", "exp is no number"),
    ({"nbf": False}, "", "nbf is no number"),
    ({"iat": {}}, "", "iat is no number"),
    ({"iss": "a"}, 'iss = "a"', None),
    ({"iss": "a"}, 'iss = { "b", "a" }', None),
    ({"iss": "b"}, 'iss = "a"', "the token is of another issuer"),
    ({}, 'iss = "a"', "the token is of another issuer"),
    ({"iss": ["a"]}, 'iss = "a"', "the token is of another issuer"),
    ({"iss": 1}, 'iss = "1"', "the token is of another issuer"),
    ({"aud": "a"}, 'aud = "a"', None),
    ({"aud": ["b", "a"]}, 'aud = "a"', None),
    ({"aud": ["b", "a"]}, 'aud = { "c", "a" }', None),
    ({"aud": "a"}, "", None),
    ({"aud": "ab"}, 'aud = "a"', "the token is for another audience"),
    ({"aud": []}, 'aud = "a"', "the token is for another audience"),
    ({"aud": {"a": "a"}}, 'aud = "a"', "the token is for another audience"),
    ({"aud": [["a"]]}, 'aud = "a"', "the token is for another audience"),
    ({"aud": True}, 'aud = "a"', "the token is for another audience"),
    ({}, 'aud = "a"', "the token is for another audience"),
])
def test_claims(run, claims, options, why):
    now = time.time()
    claims = {name: now + float(value) if isinstance(value, str) and value[0] in "+-" else value
              for name, value in claims.items()}
    token = hs256({"alg": "HS256"}, claims, b"secret")
    result = verify(run, token, "'secret'", f'{{ alg = "HS256", {options} }}')
    if why:
        assert result == [None, why]
    else:
        assert result.keys() == claims.keys()


# What must be refused.

@pytest.mark.parametrize("header", [
    {"alg": "none"}, {"alg": "None"}, {"alg": "NONE"}, {"alg": ""}, {"alg": None}, {"alg": ["HS256"]}, {},
    {"alg": "hs256"}, {"alg": "HS256 "}, {"alg": "HS257"}, {"alg": "RS256"}, {"alg": "HS512"}, {"alg": 1},
    {"alg": "HS256", "crit": ["exp"], "exp": 1}, {"alg": "HS256", "crit": []},
    {"alg": "HS256", "b64": False, "crit": ["b64"]}, {"alg": "HS256", "kid": 1}, {"alg": "HS256", "kid": ["a"]},
])
def test_headers_that_are_refused(run, header):
    token = hs256(header, {}, b"secret")
    for text in (token, token.rsplit(".", 1)[0] + "."):
        assert verify(run, text, "'secret'", '{ alg = "HS256" }')[0] is None


@pytest.mark.parametrize("header, claims", [
    (b"", b"{}"), (b"{", b"{}"), (b"[]", b"{}"), (b'"alg"', b"{}"), (b"null", b"{}"), (b'{"alg":"HS256"} x', b"{}"),
    (b'{"alg":"HS256"}', b""), (b'{"alg":"HS256"}', b"[1]"), (b'{"alg":"HS256"}', b"null"),
    (b'{"alg":"HS256"}', b"1"), (b'{"alg":"HS256"}', b'{"a":\xff}'), (b'{"alg":"HS256"}', b'{"a":"\xff"}'),
    (b'{"alg":"HS256"}', b'{"exp":1e999}'), (b'{"alg":"HS256"}', b'{"a":' * 200 + b"1" + b"}" * 200),
    (b'{"alg":"HS256","alg":"none"}', b"{}"), (b"\xef\xbb\xbf{}", b"{}"),
])
def test_parts_that_are_no_objects(run, header, claims):
    assert verify(run, hs256(header, claims, b"secret"), "'secret'", '{ alg = "HS256" }')[0] is None


def test_a_kid_is_a_name_and_nothing_else(run):
    """Neither a path nor a query nor a key of its own choice."""
    for more in ({"kid": "../../../../dev/null"}, {"kid": "' OR 1=1 --"}, {"kid": ""}, {"kid": "\0"},
                 {"jwk": {"kty": "oct", "k": encode(b"")}}, {"jwk": {"kty": "oct", "k": encode(b"evil")}},
                 {"jku": "http://127.0.0.1:1/"}, {"x5u": "http://127.0.0.1:1/"}, {"x5c": ["AAAA"]}):
        for key in (b"", b"evil"):
            token = hs256({"alg": "HS256", **more}, {}, key)
            assert verify(run, token, "'secret'", '{ alg = "HS256" }') == [None, "the signature is wrong"]
        token = hs256({"alg": "HS256", **more}, {"a": 1}, b"secret")
        assert verify(run, token, "'secret'", '{ alg = "HS256" }') == {"a": 1}


@pytest.mark.parametrize("kind", ["rsa", "p256", "ed25519"])
def test_a_public_key_is_no_shared_secret(run, keys, kind):
    """A token that was made with the public key's text as a secret, by whoever has that."""
    public = keys[kind][1]
    for text in (public, public.strip(), "\n" + public):
        token = hs256({"alg": "HS256"}, {"admin": True}, text.encode())
        for options in ('{ alg = "HS256" }', '{ alg = { "RS256", "HS256", "ES256", "EdDSA" } }'):
            assert verify(run, token, lua(text), options) == [None, "there is no key for the token"]
    with pytest.raises(Raised, match="run:1: HS256 takes another kind of key"):
        sign(run, {}, lua(public), '{ alg = "HS256" }')
    for jwk in (RS_JWK, ES_JWK, ED_JWK):
        token = hs256({"alg": "HS256"}, {}, json.dumps(jwk).encode())
        assert verify(run, token, lua_json(jwk), '{ alg = "HS256" }') == [None, "there is no key for the token"]


def test_each_algorithm_has_its_kind_of_key(run, keys):
    pairs = [(alg, kind) for alg in ASYMMETRIC for kind in ("rsa", "p256", "p384", "p521", "k256", "ed25519")
             if ASYMMETRIC[alg] != kind]
    code = ["local keys, jwt = {}, crypto.jwt"]
    code += [f"keys.{name} = {lua(keys[name][0])}" for name in ("rsa", "p256", "p384", "p521", "k256", "ed25519")]
    for alg, kind in pairs:
        code.append(f"""do
            local ok, err = pcall(jwt.sign, {{}}, keys.{kind}, {{ alg = "{alg}" }})
            assert(not ok and err:find("{alg} takes another kind of key", 1, true), err)
            local token = crypto.base64url.encode('{{"alg":"{alg}"}}') .. ".e30." .. ("A"):rep(86)
            local claims, why = jwt.verify(token, keys.{kind}, {{ alg = "{alg}" }})
            assert(claims == nil and why == "there is no key for the token", why)
        end""")
    assert run("\n".join(code) + " return true")


def test_algorithms_of_one_kind_are_not_mixed(run, keys):
    private, public = map(lua, keys["rsa"])
    for alg, other in (("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512")):
        token = sign(run, {}, private, f'{{ alg = "{alg}" }}')
        assert verify(run, token, public, f'{{ alg = "{other}" }}') == [None, f"the token's algorithm is {alg}"]
        _, claims, signature = token.split(".")
        forged = ".".join((encode({"alg": other}), claims, signature))
        assert verify(run, forged, public, f'{{ alg = "{other}" }}') == [None, "the signature is wrong"]


def der_of(signature):
    """A signature of two numbers as DER."""
    half = len(signature) // 2
    numbers = b""
    for part in (signature[:half], signature[half:]):
        part = part.lstrip(b"\0") or b"\0"
        part = (b"\0" if part[0] & 0x80 else b"") + part
        numbers += b"\x02" + bytes([len(part)]) + part
    size = bytes([len(numbers)]) if len(numbers) < 128 else b"\x81" + bytes([len(numbers)])
    return b"\x30" + size + numbers


@pytest.mark.parametrize("alg, order", [
    ("ES256", 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551),
    ("ES384", int("f" * 48 + "c7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16)),
    ("ES512", int("1" + "f" * 65 + "a51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409", 16)),
])
def test_ecdsa_signatures_that_are_refused(run, keys, alg, order):
    private, public = map(lua, keys[ASYMMETRIC[alg]])
    token = sign(run, {}, private, f'{{ alg = "{alg}" }}')
    signed, _, text = token.rpartition(".")
    signature = decode(text)
    half = len(signature) // 2
    r, s = signature[:half], signature[half:]
    zero, n = bytes(half), order.to_bytes(half, "big")
    for other in (der_of(signature), zero + zero, r + zero, zero + s, n + s, r + n, n + n, s + r,
                  b"\0" + r + b"\0" + s, signature + b"\0", b"\0" + signature, signature[:-1], r, b"\xff" * 2 * half,
                  signature * 2, b"\0", b"\x30\x06\x02\x01\x01\x02\x01\x01"):
        assert verify(run, f"{signed}.{encode(other)}", public, f'{{ alg = "{alg}" }}')[0] is None, other
    assert verify(run, token, public, f'{{ alg = "{alg}" }}') is not None


def test_no_two_texts_are_one_token(run):
    """Bits that base64 does not use, the other alphabet, padding, white space."""
    token = hs256({"alg": "HS256"}, {"a": "?>?>"}, b"secret")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(token[-1]) ^ 1]
    for text in (token[:-1] + last, token + "=", token + "\n", " " + token, token.replace(".", "=.", 1),
                 token.replace("_", "/").replace("-", "+") + "x", token.replace(".", ". ")):
        assert verify(run, text, "'secret'", '{ alg = "HS256" }')[0] is None, text


@pytest.mark.parametrize("text", ["", ".", "..", "...", "a.b.c", "a.b", "e30.e30.", "e30..", "\0.\0.\0"])
def test_what_is_no_token(run, text):
    assert verify(run, text, "'secret'", '{ alg = "HS256" }')[0] is None


def test_no_token_is_none_that_is_valid(run):
    assert run("return crypto.jwt.verify(nil, 'secret', { alg = 'HS256' })") == \
        [None, "the token has not three parts"]


# Keys that are none.

def point_off_the_curve():
    return {**ES_JWK, "y": "y_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}


@pytest.mark.parametrize("key, problem", [
    ('""', "the key is empty"),
    ("nil", "a key is bytes, PEM or a JWK, not a nil"),
    ("12", "a key is bytes, PEM or a JWK, not a number"),
    ('"-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----\\n"', "the key cannot be read"),
    ('"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n"', "the key cannot be read"),
    ('"-----BEGIN RSA PRIVATE KEY-----\\n" .. ("A"):rep(100000)', "the key cannot be read"),
    ({}, "the kty of a JWK is oct, RSA, EC or OKP"),
    ({"kty": "oct"}, "the key is empty"),
    ({"kty": "oct", "k": ""}, "the key is empty"),
    ({"kty": "oct", "k": "a+b/"}, "k of the JWK is no base64url"),
    ({"kty": "oct", "k": "YQ=="}, "k of the JWK is no base64url"),
    ({"kty": "oct", "k": "YQ", "use": "enc"}, "the JWK is not for signatures"),
    ({"kty": "oct", "k": "YQ", "key_ops": ["encrypt"]}, "the JWK is not for signatures"),
    ({"kty": "oct", "k": "YQ", "key_ops": "verify"}, "the JWK is not for signatures"),
    ({"kty": "oct", "k": "YQ", "alg": "none"}, "the JWK is for no algorithm that is known here"),
    ({"kty": "oct", "k": "YQ", "alg": 1}, "the JWK is for no algorithm that is known here"),
    ({"kty": "oct", "k": "YQ", "kid": 1}, "the kid of a JWK is a string"),
    ({"kty": "RSA", "n": RS_JWK["n"]}, "the key cannot be read"),
    ({**RS_JWK, "oth": []}, "an RSA key has two primes"),
    ({**RS_JWK, "e": "AQ"}, "the exponent of an RSA key is odd, above 1, and below 64 bits"),
    ({**RS_JWK, "e": "Ag"}, "the exponent of an RSA key is odd, above 1, and below 64 bits"),
    ({**RS_JWK, "e": RS_JWK["n"]}, "the exponent of an RSA key is odd, above 1, and below 64 bits"),
    ({**RS_JWK, "n": RS_JWK["n"][:172]}, "an RSA key has 2048 to 8192 bits"),
    ({**RS_JWK, "n": "_" * 1366 + "8"}, "the key cannot be read"),
    ({**RS_JWK, "n": "_" * 100000}, "the key cannot be read"),
    (point_off_the_curve(), "the key cannot be read"),
    ({**ES_JWK, "x": "AAAA" + ES_JWK["x"]}, "the key cannot be read"),
    ({**ES_JWK, "crv": "P-384"}, "the key cannot be read"),
    ({**ES_JWK, "crv": "secp256k1"}, "the key cannot be read"),
    ({**ES_JWK, "crv": 256}, "the key cannot be read"),
    ({**ED_JWK, "crv": "X25519"}, "the key cannot be read"),
    ({**ED_JWK, "x": "AAAA"}, "the key cannot be read"),
    ({"kty": "OKP", "crv": "Ed25519"}, "the key cannot be read"),
])
def test_keys_that_are_none(run, key, problem):
    text = key if isinstance(key, str) else lua_json(key)
    for call in (f'crypto.jwt.verify("a.b.c", {text}, {{ alg = "RS256" }})',
                 f'crypto.jwt.sign({{}}, {text}, {{ alg = "RS256" }})'):
        with pytest.raises(Raised) as info:
            run(f"\n{call}")
        found = info.value.args[0]
        assert found.startswith("run:2: ") and found.endswith(problem), found


@pytest.mark.parametrize("kind, problem", [("small", "an RSA key has 2048 to 8192 bits"),
                                           ("x25519", "it is no key of RSA, EC or EdDSA")])
def test_pem_keys_that_sign_nothing(run, keys, kind, problem):
    with pytest.raises(Raised, match=problem):
        verify(run, "a.b.c", lua(keys[kind][1]), '{ alg = "RS256" }')


def test_nobody_is_asked_for_the_password_of_a_key(run, keys, tmp_path):
    file = tmp_path / "key"
    file.write_text(keys["p256"][0])
    locked = subprocess.check_output(["openssl", "pkey", "-in", file, "-aes128", "-passout", "pass:x"])
    with pytest.raises(Raised, match="the key cannot be read"):
        sign(run, {}, lua(locked), '{ alg = "ES256" }')


@pytest.mark.parametrize("call, problem", [
    ("verify('a', 'k')", "alg is missing: the algorithms that a token may have"),
    ("verify('a', 'k', {})", "alg is missing: the algorithms that a token may have"),
    ("verify('a', 'k', { alg = 'none' })", "there is no algorithm none"),
    ("verify('a', 'k', { alg = { 'HS256', 'none' } })", "there is no algorithm none"),
    ("verify('a', 'k', { alg = {} })", "alg is the name of an algorithm, or a list of such"),
    ("verify('a', 'k', { alg = 'HS256', leeway = -1 })", "leeway is a number of seconds"),
    ("verify('a', 'k', { alg = 'HS256', leeway = 1/0 })", "leeway is a number of seconds"),
    ("verify('a', 'k', { alg = 'HS256', leeway = 0/0 })", "leeway is a number of seconds"),
    ("verify('a', 'k', { alg = 'HS256', aud = 1 })", "aud is a string, or a list of such"),
    ("verify('a', 'k', { alg = 'HS256', audience = 'a' })", "jwt.verify has no option audience"),
    ("verify('a', 'k', 'HS256')", "the options of jwt.verify are a string, not a table"),
    ("verify(1, 'k', { alg = 'HS256' })", "a token is a string, not a number"),
    ("sign({}, 'k')", "alg is missing: the algorithm"),
    ("sign({}, 'k', { alg = 'none' })", "there is no algorithm none"),
    ("sign({}, 'k', { alg = { 'HS256' } })", "alg is the name of an algorithm"),
    ("sign({}, 'k', { alg = 'HS256', kid = 1 })", "kid is a string"),
    ("sign({}, 'k', { alg = 'HS256', kid = '\\xff' })", "kid is no text in UTF-8"),
    ("sign({}, 'k', { alg = 'HS256', exp = 1 })", "jwt.sign has no option exp"),
    ("sign('x', 'k', { alg = 'HS256' })", "the claims are a string, not a table"),
    ("sign({ 1 }, 'k', { alg = 'HS256' })", "the claims are a list, and not values by name"),
    ("sign({ f = print }, 'k', { alg = 'HS256' })", "json.encode: cannot encode a function at .f"),
])
def test_misuse_is_told_at_the_line(run, call, problem):
    with pytest.raises(Raised) as info:
        run(f"\ncrypto.jwt.{call}")
    assert info.value.args[0] == f"run:2: {problem}"


def test_a_public_key_signs_nothing(run, keys):
    with pytest.raises(Raised, match="run:1: the key is public, and signs nothing"):
        sign(run, {}, lua(keys["rsa"][1]), '{ alg = "RS256" }')


# Key sets of other servers.

class Issuer:
    """Publishes keys, and counts who asks."""

    def __init__(self, upstream):
        self.jwks, self.status, self.more, self.asked = {"keys": []}, 200, "", 0
        self.body = None
        self.gate = threading.Event()
        self.gate.set()
        self.server = upstream(self.serve)
        self.url = self.server.url + "/keys"

    def serve(self, connection):
        while connection.request():
            self.asked += 1
            self.gate.wait(30)
            body = self.body or json.dumps(self.jwks).encode()
            connection.write(f"HTTP/1.1 {self.status} x\r\n{self.more}content-length: {len(body)}\r\n\r\n"
                             .encode() + body)


@pytest.fixture
def issuer(upstream):
    return Issuer(upstream)


SETS = """
    local crypto, json = require "moontrail.crypto", require "moontrail.json"
    local sets = {}
    return function(ctx)
        local url = ctx:request_header("issuer")
        sets[url] = sets[url] or crypto.jwks(url)
        local claims, why = crypto.jwt.verify(ctx:request_header("token"), sets[url], { iss = "them" })
        ctx:json { claims = claims, why = why and tostring(why), kind = type(why) == "table" and why.kind or nil }
    end"""

SCRIPTS["sets.lua"] = SETS


def begin_check(client, issuer, token):
    return client.request("/sets", headers=[("issuer", issuer.url), ("token", token)])


def check(client, issuer, token):
    return json.loads(client.response(begin_check(client, issuer, token)).text)


def jwk_of(keys, name, **more):
    """The public JWK of a key of Ed25519."""
    der = decode("".join(keys[name][1].split("\n")[1:-2]).replace("+", "-").replace("/", "_"))
    return {"kty": "OKP", "crv": "Ed25519", "x": encode(der[-32:]), **more}


def token_of(run, keys, kid, alg="EdDSA", key="ed25519"):
    return sign(run, {"iss": "them", "kid": kid or ""}, lua(keys[key][0]),
                f'{{ alg = "{alg}", kid = {lua(kid) if kid else "nil"} }}')


def test_a_key_set_is_asked_for_once(client, run, keys, issuer):
    issuer.jwks["keys"] = [{"kty": "new"}, "none", {**ES_JWK, "use": "enc"}, {**RS_JWK, "n": "AAAA"},
                           jwk_of(keys, "ed25519", kid="one")]
    for _ in range(3):
        assert check(client, issuer, token_of(run, keys, "one"))["claims"] == {"iss": "them", "kid": "one"}
    assert check(client, issuer, token_of(run, keys, None))["claims"] == {"iss": "them", "kid": ""}
    assert issuer.asked == 1


def test_many_ask_at_once_and_the_issuer_hears_of_one(client, run, keys, issuer):
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="one")]
    issuer.gate.clear()
    token = token_of(run, keys, "one")
    streams = [begin_check(client, issuer, token) for _ in range(8)]
    client.ping()
    issuer.gate.set()
    for stream in streams:
        assert json.loads(client.response(stream).text)["claims"]["kid"] == "one"
    assert issuer.asked == 1


def test_who_asks_may_go_away(client, run, keys, issuer):
    """Another of those that wait asks in its place."""
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="one")]
    issuer.gate.clear()
    token = token_of(run, keys, "one")
    first, second = begin_check(client, issuer, token), begin_check(client, issuer, token)
    while not issuer.asked:
        client.ping()
    client.reset(first)
    issuer.gate.set()
    assert json.loads(client.response(second).text)["claims"]["kid"] == "one"


def test_a_new_key_is_asked_for(client, run, keys, issuer):
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="one")]
    assert check(client, issuer, token_of(run, keys, "one"))["claims"]
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="two")]
    assert check(client, issuer, token_of(run, keys, "two"))["claims"]
    assert check(client, issuer, token_of(run, keys, "one")) == {"why": "there is no key for the token"}


def test_names_that_nobody_knows_are_not_all_asked_for(client, run, keys, issuer):
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="one")]
    for i in range(40):
        assert check(client, issuer, token_of(run, keys, f"other {i}")) == {"why": "there is no key for the token"}
    assert 2 <= issuer.asked <= 20
    assert check(client, issuer, token_of(run, keys, "one"))["claims"]


def test_a_key_set_has_no_shared_secrets(client, issuer):
    issuer.jwks["keys"] = [{"kty": "oct", "k": encode(b"known to all"), "kid": "one"}]
    token = hs256({"alg": "HS256", "kid": "one"}, {"iss": "them"}, b"known to all")
    assert check(client, issuer, token) == {"why": "there is no key for the token"}


def test_a_key_set_takes_no_algorithm_of_another_kind(client, keys, issuer):
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="one")]
    for alg in ("none", "HS256", "RS256", "ES256"):
        token = hs256({"alg": alg, "kid": "one"}, {"iss": "them"}, keys["ed25519"][1].encode())
        assert check(client, issuer, token)["why"]


@pytest.mark.parametrize("answer, why", [
    ({"status": 500}, ": 500"), ({"status": 301}, ": 301"), ({"body": b"{"}, "no key set: json.decode"),
    ({"body": b"[]"}, "no key set: it has no keys"), ({"body": b'{"keys":1}'}, "no key set: it has no keys"),
    ({"body": b" " * (1 << 20) + b'{"keys":[]}'}, "1048576"),
])
def test_what_an_issuer_answers_in_place_of_keys(client, run, keys, issuer, answer, why):
    vars(issuer).update(answer)
    told = check(client, issuer, token_of(run, keys, "one"))
    assert why in told["why"] and "claims" not in told


def test_an_issuer_that_is_not_there(client, run, keys, issuer):
    issuer.url = "http://127.0.0.1:1/"
    told = check(client, issuer, token_of(run, keys, "one"))
    assert told["kind"] == "unreachable"


def test_an_issuer_that_has_failed_is_asked_again(client, run, keys, issuer):
    issuer.status = 503
    assert check(client, issuer, token_of(run, keys, "one"))["why"]
    issuer.status = 200
    issuer.jwks["keys"] = [jwk_of(keys, "ed25519", kid="one")]
    token = token_of(run, keys, "one")
    end = time.monotonic() + 30
    while not check(client, issuer, token).get("claims"):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize("call, problem", [
    ("jwks('ftp://x')", "the URL of a key set is http:// or https://"),
    ("jwks()", "the URL of a key set is http:// or https://"),
    ("jwks('http://x/', { timeout = 1 })", "a key set has no option timeout that is a number"),
    ("jwks('http://x/', 1)", "the options of a key set are a number, not a table"),
    ("jwt.sign({}, crypto.jwks('http://x/'), { alg = 'RS256' })", "a key set signs nothing"),
])
def test_misuse_of_key_sets(run, call, problem):
    with pytest.raises(Raised) as info:
        run(f"\ncrypto.{call}")
    assert info.value.args[0] == f"run:2: {problem}"
