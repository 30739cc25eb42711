"""Tokens by jose, a library of npm: what one signs the other verifies, with keys in each form."""
import json
import os
import subprocess

import pytest

from optional import JOSEJS, need
from scripted import SCRIPT, lua, lua_json, run_on
from server import ROOT

need("node", "jose-js")

SCRIPTS = {"index.lua": SCRIPT}
PROGRAM = ROOT / "tests/e2e/josejs/tokens.mjs"
CLAIMS = {"sub": "møøn", "iss": "them", "aud": ["us", "you"], "iat": 1700000000, "n": 1.5}
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = (("ES256", None), ("ES384", None), ("ES512", None), ("EdDSA", "Ed25519"), ("EdDSA", "Ed448"))
SECRET = {"kty": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}


def jose(jobs):
    done = subprocess.run(["node", PROGRAM], env={**os.environ, "NODE_PATH": str(JOSEJS)}, timeout=60,
                          input=json.dumps(jobs), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(name="pairs", scope="module")
def fixture_pairs():
    """Keys of jose's, in each form, by algorithm."""
    made = jose([{"generate": alg, "crv": crv} for alg, crv in (("RS256", None), *CURVES)])
    shared = {"private": SECRET, "public": SECRET}
    return [*((alg, made[0]) for alg in RSA), *zip((alg for alg, _ in CURVES), made[1:]),
            *((alg, shared) for alg in ("HS256", "HS384", "HS512"))]


def test_tokens_of_moontrail_are_verified_by_jose(client, pairs):
    jobs = []
    for alg, pair in pairs:
        forms = [lua_json(pair["private"])] + [lua(pair[form]) for form in ("pkcs8",) if form in pair]
        for form in forms:
            token = run_on(client, f"return crypto.jwt.sign({lua_json(CLAIMS)}, {form}, {{ alg = '{alg}', kid = 'k' }})")
            jobs.append({"verify": token, "alg": alg, "key": pair["public"], "audience": "us", "issuer": "them"})
    for job, result in zip(jobs, jose(jobs), strict=True):
        assert result == {"payload": CLAIMS, "header": {"alg": job["alg"], "typ": "JWT", "kid": "k"}}


def test_tokens_of_jose_are_verified_by_moontrail(client, pairs):
    tokens = jose([{"sign": CLAIMS, "alg": alg, "key": pair["private"]} for alg, pair in pairs])
    for (alg, pair), token in zip(pairs, tokens, strict=True):
        forms = [lua_json(pair["public"]), lua_json(pair["private"])]
        forms += [lua(pair[form]) for form in ("spki", "pkcs8") if form in pair]
        for form in forms:
            options = f"{{ alg = '{alg}', aud = 'you', iss = 'them' }}"
            assert run_on(client, f"return crypto.jwt.verify({lua(token)}, {form}, {options})") == CLAIMS
