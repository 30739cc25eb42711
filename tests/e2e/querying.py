"""A server whose requests are pieces of Lua that use a database, as storing.py has them for the store."""
from storing import EVAL, Worker

SCRIPTS = {"index.lua": EVAL}

# A statement that never ends by itself.
ENDLESS = "with recursive c(i) as (select 1 union all select i + 1 from c) select max(i) from c"


class Querier:
    """A connection to a worker, in whose pieces of Lua there are sql and db, the database of a URL."""

    def __init__(self, client, url, options="nil"):
        self.worker = Worker(client)
        self.pid = self.worker.pid
        self._prelude = f"""
            local sql = require "moontrail.sql"
            kept["{url}"] = kept["{url}"] or sql.open("{url}", {options})
            local db = kept["{url}"]
            """.replace("\n", " ")

    def begin(self, code, *values):
        prelude = self._prelude.replace("%", "%%") if values else self._prelude
        return self.worker.begin(prelude + code, *values)

    def end(self, stream):
        return self.worker.end(stream)

    def run(self, code, *values):
        return self.end(self.begin(code, *values))

    def value(self, text, *values):
        """The first column of the first row of a statement, with values as Lua writes them."""
        return self.run(f"return db:value({', '.join([repr_lua(text), *map(str, values)])})")


def repr_lua(text):
    return "[==[" + text + "]==]"
