"""Requests of HTTP/1.1 that are malformed, each as its bytes and the status that it deserves. It
takes no more bytes to tell, though more may follow."""
HOST = b"host: a.test\r\n"
FIELDS_MOST = 128
HEAD_MOST = 65536  # bytes
LONG = b"x" * (HEAD_MOST + 100)


def line(start):
    """A request by its line, the end of which is up to it."""
    return start + HOST + b"\r\n"


def fields(*some, target=b"POST / HTTP/1.1"):
    """A request with a Host and the fields given, each without its CRLF."""
    return target + b"\r\n" + HOST + b"".join(one + b"\r\n" for one in some) + b"\r\n"


def alone(*some, target=b"GET / HTTP/1.1"):
    """A request with no Host but what the fields say."""
    return target + b"\r\n" + b"".join(one + b"\r\n" for one in some) + b"\r\n"


def field(text):
    """A request that is malformed by the end of a field's line."""
    return b"GET / HTTP/1.1\r\n" + HOST + text


def coded(coding):
    """A request with a transfer coding. Taken for chunked, its body would be whole."""
    return fields(b"transfer-encoding:" + coding) + b"0\r\n\r\n"


def length(text):
    return fields(b"content-length:" + text)


def chunked(body):
    return fields(b"transfer-encoding: chunked") + body


LINES = {
    "HTTP/0.9, by its form": (b"GET /\r\n", 400),
    "HTTP/0.9, by its number": (line(b"GET / HTTP/0.9\r\n"), 505),
    "HTTP/2.0": (line(b"GET / HTTP/2.0\r\n"), 505),
    "HTTP/3.0": (line(b"GET / HTTP/3.0\r\n"), 505),
    "HTTP/1.10": (line(b"GET / HTTP/1.10\r\n"), 400),
    "HTTP/01.1": (line(b"GET / HTTP/01.1\r\n"), 400),
    "HTTP/1": (line(b"GET / HTTP/1\r\n"), 400),
    "HTTP/11": (line(b"GET / HTTP/11\r\n"), 400),
    "HTTP/1,1": (line(b"GET / HTTP/1,1\r\n"), 400),
    "HTTP/": (line(b"GET / HTTP/\r\n"), 400),
    "version in lower case": (line(b"GET / http/1.1\r\n"), 400),
    "version of another protocol": (line(b"GET / ICAP/1.1\r\n"), 400),
    "version with something behind": (line(b"GET / HTTP/1.1x\r\n"), 400),
    "version with a space behind": (line(b"GET / HTTP/1.1 \r\n"), 400),
    "version with a space inside": (line(b"GET / HTTP/ 1.1\r\n"), 400),
    "no version behind the space": (line(b"GET / \r\n"), 400),
    "two spaces before the target": (line(b"GET  / HTTP/1.1\r\n"), 400),
    "two spaces behind the target": (line(b"GET /  HTTP/1.1\r\n"), 400),
    "tab before the target": (line(b"GET\t/ HTTP/1.1\r\n"), 400),
    "tab behind the target": (line(b"GET /\tHTTP/1.1\r\n"), 400),
    "form feed before the target": (line(b"GET\x0c/ HTTP/1.1\r\n"), 400),
    "vertical tab behind the target": (line(b"GET /\x0bHTTP/1.1\r\n"), 400),
    "leading space": (line(b" GET / HTTP/1.1\r\n"), 400),
    "leading tab": (line(b"\tGET / HTTP/1.1\r\n"), 400),
    "leading LF": (line(b"\nGET / HTTP/1.1\r\n"), 400),
    "leading CR": (line(b"\rGET / HTTP/1.1\r\n"), 400),
    "leading NUL": (line(b"\0GET / HTTP/1.1\r\n"), 400),
    "leading byte order mark": (line(b"\xef\xbb\xbfGET / HTTP/1.1\r\n"), 400),
    "many leading empty lines": (b"\r\n" * 100, 400),
    "line of a space": (line(b" \r\n"), 400),
    "no target": (line(b"GET HTTP/1.1\r\n"), 400),
    "no method": (line(b"/ HTTP/1.1\r\n"), 400),
    "method only": (line(b"GET\r\n"), 400),
    "method with @": (line(b"G@T / HTTP/1.1\r\n"), 400),
    "method with a colon": (line(b"GET: / HTTP/1.1\r\n"), 400),
    "method with a control character": (line(b"G\x01T / HTTP/1.1\r\n"), 400),
    "method with NUL": (line(b"G\0T / HTTP/1.1\r\n"), 400),
    "method outside of ASCII": (line(b"G\xc9T / HTTP/1.1\r\n"), 400),
    "too long a method": (LONG, 431),
    "LF alone": (b"GET / HTTP/1.1\n" + HOST + b"\r\n", 400),
    "CR alone": (line(b"GET / HTTP/1.1\r"), 400),
    "CR twice": (line(b"GET / HTTP/1.1\r\r\n"), 400),
    "CR within the target": (line(b"GET /\rx HTTP/1.1\r\n"), 400),
    "CR within the version": (line(b"GET / HTTP/\r1.1\r\n"), 400),
    "LF within the target": (line(b"GET /\nx HTTP/1.1\r\n"), 400),
    "a TLS handshake": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512), 400),
    "a preface that is none": (b"PRI * HTTP/2.0\r\n\r\nSM\r\nXX", 505),
}

TARGETS = {
    "space": (b"/a b", 400),
    "NUL": (b"/a\0b", 400),
    "control character": (b"/a\x1fb", 400),
    "escape character": (b"/\x1b[0m", 400),
    "DEL": (b"/a\x7fb", 400),
    "byte outside of ASCII": (b"/\xc3\xa9", 400),
    "fragment": (b"/#a", 400),
    "no leading slash": (b"hello", 400),
    "dots alone": (b"..", 400),
    "query alone": (b"?a", 400),
    "asterisk for GET": (b"*", 400),
    "asterisk with more": (b"*/a", 400),
    "authority alone": (b"a.test:80", 400),
    "absolute without an authority": (b"http:///a", 400),
    "absolute without slashes": (b"http:/a", 400),
    "absolute with a space in the authority": (b"http://a b/", 400),
    "absolute with another scheme": (b"ftp://a.test/", 400),
    "absolute with a fragment": (b"http://a.test/#a", 400),
    "absolute with user information": (b"http://me@a.test/", 400),
    "absolute with a bad port": (b"http://a.test:x/", 400),
    "too long": (b"/" + LONG, 431),
    "too long a query": (b"/?" + LONG, 431),
}

FIELDS = {
    "folded by a space": (field(b"x: a\r\n b\r\n"), 400),
    "folded by a tab": (field(b"x: a\r\n\tb\r\n"), 400),
    "folded by nothing but a space": (field(b"x: a\r\n \r\n"), 400),
    "first one folded": (b"GET / HTTP/1.1\r\n host: a.test\r\n\r\n", 400),
    "LF alone": (field(b"x: a\n\r\n"), 400),
    "LF alone before another": (field(b"x: a\nb: c\r\n\r\n"), 400),
    "LF alone at the end": (field(b"x: a\r\n\n"), 400),
    "LF twice at the end": (b"GET / HTTP/1.1\r\nhost: a.test\n\n", 400),
    "CR alone": (field(b"x: a\rb\r\n"), 400),
    "CR alone before another": (field(b"x: a\rb: c\r\n\r\n"), 400),
    "CR twice": (field(b"x: a\r\r\n"), 400),
    "CR alone at the end": (field(b"x: a\r\n\rx\r\n"), 400),
    "CR within the name": (field(b"x\ry: a\r\n"), 400),
    "NUL in the value": (field(b"x: a\0b\r\n"), 400),
    "NUL in the name": (field(b"x\0: a\r\n"), 400),
    "control character in the value": (field(b"x: a\x01b\r\n"), 400),
    "backspace in the value": (field(b"x: a\bb\r\n"), 400),
    "DEL in the value": (field(b"x: a\x7fb\r\n"), 400),
    "no colon": (field(b"nocolon\r\n"), 400),
    "no name": (field(b": a\r\n"), 400),
    "space before the colon": (field(b"x : a\r\n"), 400),
    "tab before the colon": (field(b"x\t: a\r\n"), 400),
    "space within the name": (field(b"x y: a\r\n"), 400),
    "space before the name": (field(b" x: a\r\n"), 400),
    "byte outside of ASCII in the name": (field(b"\xe9: a\r\n"), 400),
    **{f"{chr(c)} in the name": (field(b"x%cy: a\r\n" % c), 400) for c in b'"(),/;<=>?@[\\]{}'},
    "pseudo field": (field(b":path: /a\r\n"), 400),
    "too many": (field(b"x: a\r\n" * FIELDS_MOST), 431),
    "too long a name": (field(LONG), 431),
    "too long a value": (field(b"x: " + LONG), 431),
    "too long a connection": (field(b"connection: " + b"," * 1025 + b"\r\n"), 431),
    "too long connections": (field((b"connection: " + b"x," * 256 + b"\r\n") * 3), 431),
    "too long in all": (field((b"x: " + b"y" * 8000 + b"\r\n") * 9), 431),
}

HOSTS = {
    "none": (alone(), 400),
    "none for an absolute target": (alone(target=b"GET http://a.test/ HTTP/1.1"), 400),
    "two": (alone(b"host: a.test", b"host: b.test"), 400),
    "two alike": (alone(b"host: a.test", b"Host: a.test"), 400),
    "two in HTTP/1.0": (alone(b"host: a.test", b"host: b.test", target=b"GET / HTTP/1.0"), 400),
    "a list": (alone(b"host: a.test, b.test"), 400),
    "a list without a space": (alone(b"host: a.test,b.test"), 400),
    "two words": (alone(b"host: a.test b.test"), 400),
    "a path": (alone(b"host: a.test/b"), 400),
    "a query": (alone(b"host: a.test?b"), 400),
    "a fragment": (alone(b"host: a.test#b"), 400),
    "user information": (alone(b"host: me@a.test"), 400),
    "a scheme": (alone(b"host: http://a.test"), 400),
    "a backslash": (alone(b"host: a.test\\b"), 400),
    "a port that is no number": (alone(b"host: a.test:http"), 400),
    "two ports": (alone(b"host: a.test:80:80"), 400),
    "a negative port": (alone(b"host: a.test:-1"), 400),
    "an open bracket": (alone(b"host: [::1"), 400),
    "a closed bracket": (alone(b"host: ::1]"), 400),
    "something behind the bracket": (alone(b"host: [::1]x"), 400),
    "a byte outside of ASCII": (alone(b"host: \xe9.test"), 400),
    "NUL": (alone(b"host: a\0.test")[:-2], 400),
}

LENGTHS = {
    "two": (fields(b"content-length: 5", b"content-length: 6"), 400),
    "two alike": (fields(b"content-length: 5", b"content-length: 5"), 400),
    "a list": (length(b" 5, 6"), 400),
    "a list of two alike": (length(b" 5, 5"), 400),
    "a trailing comma": (length(b" 5,"), 400),
    "two words": (length(b" 5 5"), 400),
    "plus": (length(b" +5"), 400),
    "minus": (length(b" -5"), 400),
    "minus nought": (length(b" -0"), 400),
    "hexadecimal": (length(b" 0x5"), 400),
    "letters behind": (length(b" 5a"), 400),
    "letters": (length(b" five"), 400),
    "a fraction": (length(b" 5.0"), 400),
    "an exponent": (length(b" 1e3"), 400),
    "an underscore": (length(b" 1_0"), 400),
    "quotes": (length(b' "5"'), 400),
    "empty": (length(b""), 400),
    "a space": (length(b" "), 400),
    "a vertical tab": (length(b" \x0b5")[:-2], 400),
    "beyond 64 bits": (length(b" 18446744073709551616"), 400),
    "beyond 63 bits": (length(b" 9223372036854775808"), 400),
    "5 beyond 64 bits": (length(b" 18446744073709551621"), 400),
    "beyond anything": (length(b" " + b"9" * 300), 400),
    "space before the colon": (field(b"content-length : 5\r\n"), 400),
    "with chunked behind": (fields(b"content-length: 5", b"transfer-encoding: chunked"), 400),
    "with chunked before": (fields(b"transfer-encoding: chunked", b"content-length: 5"), 400),
    "nought with chunked": (fields(b"transfer-encoding: chunked", b"content-length: 0"), 400),
    "with identity": (fields(b"content-length: 5", b"transfer-encoding: identity"), 400),
    "with an empty coding": (fields(b"content-length: 5", b"transfer-encoding:"), 400),
}

CODINGS = {
    "chunked twice": (coded(b" chunked, chunked"), 400),
    "chunked in two fields": (fields(*[b"transfer-encoding: chunked"] * 2), 400),
    "xchunked": (coded(b" xchunked"), 400),
    "chunkedx": (coded(b" chunkedx"), 400),
    "identity": (coded(b" identity"), 400),
    "gzip": (coded(b" gzip"), 400),
    "gzip before": (coded(b" gzip, chunked"), 501),
    "gzip behind": (coded(b" chunked, gzip"), 400),
    "identity before": (coded(b" identity, chunked"), 501),
    "identity behind": (coded(b" chunked, identity"), 400),
    "identity in another field": (
        fields(b"transfer-encoding: chunked", b"transfer-encoding: identity"), 400),
    "identity in a field before": (
        fields(b"transfer-encoding: identity", b"transfer-encoding: chunked"), 501),
    "trailing comma": (coded(b" chunked,"), 400),
    "leading comma": (coded(b" ,chunked"), 400),
    "two words": (coded(b" chunked chunked"), 400),
    "empty": (coded(b""), 400),
    "quotes": (coded(b' "chunked"'), 400),
    "single quotes": (coded(b" 'chunked'"), 400),
    "a parameter": (coded(b" chunked;q=1"), 400),
    "a semicolon": (coded(b" chunked;"), 400),
    "a vertical tab": (coded(b" \x0bchunked"), 400),
    "a form feed": (coded(b" chunked\x0c"), 400),
    "NUL": (coded(b" chunked\0"), 400),
    "CR": (coded(b" chunked\r"), 400),
    "a fold": (coded(b"\r\n chunked"), 400),
    "space before the colon": (field(b"transfer-encoding : chunked\r\n"), 400),
    "tab before the colon": (field(b"transfer-encoding\t: chunked\r\n"), 400),
    "space before the name": (field(b" transfer-encoding: chunked\r\n"), 400),
    "hidden behind CR": (field(b"x: y\rtransfer-encoding: chunked\r\n"), 400),
    "hidden behind LF": (field(b"x: y\ntransfer-encoding: chunked\r\n"), 400),
    "HTTP/1.0": (fields(b"transfer-encoding: chunked", target=b"POST / HTTP/1.0"), 400),
}

CHUNKS = {
    "no size": (b"\r\n", 400),
    "no size before an extension": (b";a\r\n", 400),
    "no hexadecimal": (b"g\r\n", 400),
    "letters behind": (b"5g\r\n", 400),
    "0x": (b"0x5\r\n", 400),
    "plus": (b"+5\r\n", 400),
    "minus": (b"-1\r\n", 400),
    "minus nought": (b"-0\r\n\r\n", 400),
    "leading space": (b" 5\r\n", 400),
    "trailing space": (b"5 \r\n", 400),
    "trailing tab": (b"5\t\r\n", 400),
    "two words": (b"5 5\r\n", 400),
    "a comma": (b"5,\r\n", 400),
    "an underscore": (b"1_0\r\n", 400),
    "a fraction": (b"5.0\r\n", 400),
    "NUL": (b"5\0\r\n", 400),
    "2^63": (b"8000000000000000\r\n", 400),
    "2^64": (b"10000000000000000\r\n", 400),
    "3 beyond 2^64": (b"10000000000000003\r\nabc\r\n0\r\n\r\n", 400),
    "beyond anything": (b"f" * 300 + b"\r\n", 400),
    "noughts without end": (b"0" * 300 + b"\r\n", 400),
    "LF behind the size": (b"3\nabc\r\n", 400),
    "CR behind the size": (b"3\rabc\r\n", 400),
    "CR twice behind the size": (b"3\r\r\nabc\r\n", 400),
    "LF behind an extension": (b"3;a\nabc\r\n", 400),
    "LF within an extension": (b"3;a\nb\r\n", 400),
    "CR within an extension": (b"3;a\rb\r\n", 400),
    "NUL within an extension": (b"3;a\0b\r\n", 400),
    "control character in an extension": (b"3;a=\x01\r\n", 400),
    "too long an extension": (b"3;" + LONG, 400),
    "an extension somewhat too long": (b"3;" + b"a" * 1100 + b"\r\n", 400),
    "too many extensions": ((b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 20, 400),
    "LF behind the data": (b"3\r\nabc\n", 400),
    "CR behind the data": (b"3\r\nabc\rx", 400),
    "nothing behind the data": (b"3\r\nabcx", 400),
    "more data than its size": (b"3\r\nabcd\r\n0\r\n\r\n", 400),
    "less data than its size": (b"5\r\nabc\r\n0\r\n\r\n", 400),
    "LF behind the last": (b"0\n\r\n", 400),
    "LF at the end": (b"0\r\n\n", 400),
    "CR at the end": (b"0\r\n\rx\r\n", 400),
    "trailer without a colon": (b"0\r\nnocolon\r\n", 400),
    "trailer without a name": (b"0\r\n: a\r\n", 400),
    "trailer with a space before the colon": (b"0\r\nx : a\r\n", 400),
    "folded trailer": (b"0\r\nx: a\r\n b\r\n", 400),
    "first trailer folded": (b"0\r\n x: a\r\n", 400),
    "trailer with NUL": (b"0\r\nx: a\0\r\n", 400),
    "trailer with LF": (b"0\r\nx: a\n\r\n", 400),
    "trailer with CR": (b"0\r\nx: a\rb\r\n", 400),
    "too many trailers": (b"0\r\n" + b"x: a\r\n" * (FIELDS_MOST + 1), 431),
    "too long a trailer": (b"0\r\nx: " + LONG, 431),
}

# Each is a group's name and its own, with bytes and status.
MALFORMED = {
    f"{group}: {name}": case for group, cases in {
        "line": LINES,
        "target": {name: (line(b"GET " + target + b" HTTP/1.1\r\n"), status)
                   for name, (target, status) in TARGETS.items()},
        "field": FIELDS,
        "host": HOSTS,
        "length": LENGTHS,
        "coding": CODINGS,
        "chunk": {name: (chunked(body), status) for name, (body, status) in CHUNKS.items()},
        "method": {
            "CONNECT": (alone(b"host: a.test:80", target=b"CONNECT a.test:80 HTTP/1.1"), 501),
        },
    }.items() for name, case in cases.items()}
