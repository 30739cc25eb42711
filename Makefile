# moontrail: make run, make test; make help tells the rest.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CXX     ?= c++

# V=1 shows each command.
SHOW = $(if $(V),,@echo '  $(1)  $@';)

# As many jobs as there are cores and 700 MB of memory for each; -jN on the command line counts more.
JOBS := $(shell awk -v n="$$(nproc)" '/^MemAvailable/ { m = int($$2 / 700000); \
                print m < 1 ? 1 : m < n ? m : n }' /proc/meminfo)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

# What is installed where it is missing; see deps.
BUILD_PACKAGES = gcc g++ libc6-dev libnghttp2-dev libssl-dev libev-dev liblua5.4-dev libyajl-dev \
                 zlib1g-dev libprotobuf-dev libprotoc-dev libc-ares-dev liblmdb-dev \
                 libsqlite3-dev libpq-dev
# What README's first commands need, and what make check needs.
RUN_PACKAGES   = $(BUILD_PACKAGES) curl nghttp2-client
CHECK_PACKAGES = $(BUILD_PACKAGES) libcmocka-dev curl
TEST_PACKAGES  = $(CHECK_PACKAGES) nghttp2-client openssl python3 python3-h2 python3-pytest
# Clients and servers of single tests: one that cannot be had is told, and its tests are left out.
OTHER_PACKAGES = lua-cjson lua-lpeg chromium protobuf-compiler python3-protobuf python3-grpcio \
                 nginx-light lmdb-utils redis-server memcached etcd-server lua-nginx-redis lua-nginx-memcached \
                 postgresql $(NODE_PACKAGES)
# Some have these from elsewhere.
NODE_PACKAGES  = $(if $(shell command -v node),,nodejs) $(if $(shell command -v npm),,npm)
FUZZ_PACKAGES  = $(BUILD_PACKAGES) clang libclang-rt-14-dev
# Each peer of the benchmark that cannot be had is left out.
BENCH_PACKAGES = nginx libnginx-mod-http-lua lua-cjson lua-nginx-redis redis-server postgresql h2o haproxy \
                 lighttpd lighttpd-modules-lua lighttpd-mod-openssl nghttp2-server golang-go \
                 golang-google-grpc-dev golang-goprotobuf-dev libgrpc++-dev protobuf-compiler \
                 protobuf-compiler-grpc
# What counts instructions.
INSTRUCTIONS_PACKAGES = $(BUILD_PACKAGES) python3 python3-h2 valgrind
LINT_PACKAGES  = $(BUILD_PACKAGES) clang-format cppcheck lua-check

WARNINGS_BOTH = -Wall -Wextra -Wshadow -Wwrite-strings -Werror
WARNINGS      = $(WARNINGS_BOTH) -Wstrict-prototypes -Wmissing-prototypes
WARNINGS_CXX  = $(WARNINGS_BOTH) -Wmissing-declarations
CPPFLAGS += -D_GNU_SOURCE -Iserver -I. -I/usr/include/lua5.4
# What modules may call of the program.
EXPORTS  = -Wl,--dynamic-list=lua/modules/exports.list
LDLIBS   = -lnghttp2 -lssl -lcrypto -lev -llua5.4 -lyajl -lz -lcares -llmdb -lm

# Modules in Lua, whose texts are in the program.
BUNDLED   = $(wildcard lua/moontrail/*.lua lua/moontrail/*/*.lua lua/moontrail/*/*/*.lua)
# Modules that scripts load as moontrail.NAME, each with a library that the program does without.
MODULES       = postgres sqlite
LIBS_postgres = -lpq
LIBS_sqlite   = -lsqlite3
MODULE_FILES  = $(MODULES:%=lib/moontrail/%.so) lib/moontrail/protobuf.so
C_ROOMS   = lua $(filter-out lua/protobuf $(MODULES:%=lua/modules/%),\
            $(sort $(shell find server lua -mindepth 1 -type d)))
SOURCES   = $(wildcard $(C_ROOMS:%=%/*.c)) build/bundled.c
# The module that scripts load as moontrail.protobuf; the program itself has no C++.
PROTOBUF  = $(wildcard lua/protobuf/*.cc) lua/modules/utf8.c
UNITS     = $(sort $(shell find tests/unit -name '*.c'))
SESSIONS  = $(wildcard tests/session/*.c)
SUPPORT   = $(wildcard tests/session/support/*.c)
C_FILES   = $(sort $(shell find server lua tests -name '*.[ch]' -o -name '*.cc'))
TYPES     = moontrail.lua moontrail/base64.lua moontrail/crypto.lua moontrail/grpc.lua moontrail/json.lua \
            moontrail/protobuf.lua moontrail/redis.lua moontrail/resty.lua moontrail/sql.lua \
            moontrail/store.lua moontrail/zlib.lua
NPM_READY = build/grpcjs/ready build/josejs/ready build/reflectjs/ready build/rpcjs/ready
LUA_FILES = $(BUNDLED) $(TYPES:%=lua/types/%) $(wildcard tests/protobuf/*.lua tests/grpc/*.lua tests/bench/*.lua \
              tests/bench/scripts/*.lua tests/lint/*.lua) \
            $(shell find scripts examples -name '*.lua')

# Two builds: for use, and for the tests, which find what a sanitizer can find.
RELEASE       = -O2 -g -flto=auto -fno-plt -fno-tree-slp-vectorize
TEST          = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=all -DCHECK_HOT
RELEASE_FLAGS = -std=gnu11 $(RELEASE) $(WARNINGS)
TEST_FLAGS    = -std=gnu11 $(TEST) $(WARNINGS)

# A module: only the function that opens it is seen from outside. It stays loaded, since libprotobuf
# cannot be unloaded without loss.
MODULE_FLAGS  = -fPIC -fvisibility=hidden
MODULE_CXX    = -std=c++17 $(MODULE_FLAGS) $(WARNINGS_CXX)
MODULE_LINK   = -shared -Wl,-z,nodelete

FUZZ          = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
                -fsanitize-coverage=trace-pc-guard -DCHECK_HOT
FUZZ_FLAGS    = -std=gnu11 $(FUZZ)
# What counts the steps of a run stands in for these: see tests/fuzz/support/cost.h.
FUZZ_COUNTED  = __sanitizer_cov_trace_pc_guard __sanitizer_cov_trace_pc_guard_init \
                __asan_memcpy __asan_memmove __asan_memset memchr mem_realloc
FUZZ_COUNTER  = tests/fuzz/support/cost.c server/core/mem.c server/core/check.c
# And tests/fuzz/support/upstream.c for these.
FUZZ_UPSTREAM = pool_call pool_shares
FUZZ_LINK     = $(FUZZ) -fsanitize=fuzzer $(FUZZ_COUNTED:%=-Wl,--wrap=%)
FUZZ_SECONDS ?= 60

release_objects = $(patsubst %.c,build/release/%.o,$(1))
test_objects    = $(patsubst %.c,build/test/%.o,$(1))
module_objects  = $(patsubst %,build/$(1)/module/%.o,$(basename $(2)))
UNIT_TESTS      = $(patsubst %.c,build/%,$(UNITS))
# Those that are built in another way.
UNIT_OTHERS     = build/tests/release/pool build/tests/threads/pool build/tests/threads/scrypt \
                  build/tests/threads/sqlite
fuzz_objects    = $(patsubst %,build/fuzz/%.o,$(basename $(1)))
FUZZERS         = $(addprefix build/fuzz/bin/,$(basename $(notdir $(wildcard tests/fuzz/*.c*))))
SESSION_TESTS   = $(patsubst %.c,build/%,$(SESSIONS))

.PHONY: all run check test testbuild unit session e2e fuzz fuzzbrief fuzzbuild bench instructions \
        lint format docs install uninstall clean deps help
.DELETE_ON_ERROR:
.SECONDARY:

all: build/moontrail $(MODULE_FILES:%=build/%) ## build build/moontrail and its modules

help: ## list the targets
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  \1\t\2/p' Makefile

run: all build/deps-run ## serve scripts/ on https://127.0.0.1:8443 and http://127.0.0.1:8080
	@echo 'Serving scripts/. Try, from another terminal:'
	@echo '  curl -k --http2 https://127.0.0.1:8443/hello'
	@echo "  nghttp -nv https://127.0.0.1:8443/hello          # the trailers"
	@echo "  nghttp -nv 'https://127.0.0.1:8443/reset?code=2' # the reset code"
	@echo "  curl -d '{\"name\":\"moon\"}' -H 'content-type: application/json' \\"
	@echo '      http://127.0.0.1:8080/helloworld.Greeter/SayHello'
	@echo 'Edit a script, and the next request runs it. Ctrl-C ends it.'
	@build/moontrail --dev scripts

build/moontrail: $(call release_objects,$(SOURCES) server/main.c) lua/modules/exports.list
	$(call SHOW,LD)$(CC) $(RELEASE_FLAGS) $(LDFLAGS) $(EXPORTS) -o $@ $(filter %.o,$^) $(LDLIBS)

build/test/moontrail: $(call test_objects,$(SOURCES) server/main.c) lua/modules/exports.list
	$(call SHOW,LD)$(CC) $(TEST_FLAGS) $(LDFLAGS) $(EXPORTS) -o $@ $(filter %.o,$^) $(LDLIBS)

build/bundled.c: lua/modules/bundle.sh $(BUNDLED)
	@mkdir -p $(@D)
	$(call SHOW,GEN)lua/modules/bundle.sh $(BUNDLED) >$@

build/release/%.o: %.c | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CC)$(CC) $(CPPFLAGS) $(RELEASE_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/test/%.o: %.c | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CC)$(CC) $(CPPFLAGS) $(TEST_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/tests/%: build/test/tests/%.o $(call test_objects,$(SOURCES))
	@mkdir -p $(@D)
	$(call SHOW,LD)$(CC) $(TEST_FLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# What the sanitizers' builds do without.
build/tests/release/pool: tests/release/pool.c server/core/mem.c server/core/check.c | build/deps-check
	@mkdir -p $(@D)
	$(call SHOW,LD)$(CC) $(CPPFLAGS) $(RELEASE_FLAGS) $(CFLAGS) -MMD -MP -o $@ $^ -lcmocka

# What has threads, under the sanitizer for these, which goes with no other.
THREADS       = $(CC) $(CPPFLAGS) -std=gnu11 -O1 -g -fsanitize=thread -DCHECK_HOT $(WARNINGS) $(CFLAGS) -MMD -MP
THREADS_FILES = $(addprefix server/core/,pool.c mem.c live.c check.c)

build/tests/threads/pool: tests/unit/core/pool.c $(THREADS_FILES) | build/deps-check
	@mkdir -p $(@D)
	$(call SHOW,LD)$(THREADS) -o $@ $^ -lcmocka

build/tests/threads/sqlite: tests/threads/sqlite.c $(addprefix lua/modules/sqlite/,connection.c database.c codes.c) \
                            $(THREADS_FILES) | build/deps-check
	@mkdir -p $(@D)
	$(call SHOW,LD)$(THREADS) -o $@ $^ $(LIBS_sqlite) -lcmocka

build/tests/threads/scrypt: tests/unit/lua/modules/scrypt.c lua/modules/crypto/scrypt.c $(THREADS_FILES) | build/deps-check
	@mkdir -p $(@D)
	$(call SHOW,LD)$(THREADS) -o $@ $^ -lcrypto -lcmocka

build/lib/moontrail/protobuf.so: $(call module_objects,release,$(PROTOBUF))
	@mkdir -p $(@D)
	$(call SHOW,LD)$(CXX) $(RELEASE) $(LDFLAGS) $(MODULE_LINK) -o $@ $^ -lprotobuf -llua5.4

build/test/lib/moontrail/protobuf.so: $(call module_objects,test,$(PROTOBUF))
	@mkdir -p $(@D)
	$(call SHOW,LD)$(CXX) $(TEST) $(LDFLAGS) $(MODULE_LINK) -o $@ $^ -lprotobuf -llua5.4

# One rule for each module and build: build/lib/moontrail/NAME.so, build/test/lib/moontrail/NAME.so.
define module_rules
build/lib/moontrail/$(1).so: $$(call module_objects,release,$$(wildcard lua/modules/$(1)/*.c))
	@mkdir -p $$(@D)
	$$(call SHOW,LD)$$(CC) $$(RELEASE_FLAGS) $$(LDFLAGS) $$(MODULE_LINK) -o $$@ $$^ $$(LIBS_$(1)) -llua5.4

build/test/lib/moontrail/$(1).so: $$(call module_objects,test,$$(wildcard lua/modules/$(1)/*.c))
	@mkdir -p $$(@D)
	$$(call SHOW,LD)$$(CC) $$(TEST_FLAGS) $$(LDFLAGS) $$(MODULE_LINK) -o $$@ $$^ $$(LIBS_$(1)) -llua5.4
endef
$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))

build/release/module/%.o: %.cc | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CXX)$(CXX) $(CPPFLAGS) $(MODULE_CXX) $(RELEASE) $(CXXFLAGS) -MMD -MP -c -o $@ $<

build/test/module/%.o: %.cc | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CXX)$(CXX) $(CPPFLAGS) $(MODULE_CXX) $(TEST) $(CXXFLAGS) -MMD -MP -c -o $@ $<

build/release/module/%.o: %.c | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CC)$(CC) $(CPPFLAGS) $(MODULE_FLAGS) $(RELEASE_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/test/module/%.o: %.c | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CC)$(CC) $(CPPFLAGS) $(MODULE_FLAGS) $(TEST_FLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

build/bench/bare: tests/bench/bare.c | build/deps-build
	@mkdir -p $(@D)
	$(call SHOW,CC)$(CC) -std=gnu11 -O2 -g $(WARNINGS) -o $@ $< -lnghttp2 -lssl -lcrypto -lev

# The server with handlers in C in place of Lua: what the layers below it cost.
build/bench/chandler: $(call release_objects,$(filter server/%,$(SOURCES)) tests/bench/chandler.c)
	@mkdir -p $(@D)
	$(call SHOW,LD)$(CC) $(RELEASE_FLAGS) $(LDFLAGS) -o $@ $^ -lnghttp2 -lssl -lcrypto -lev -lcares -llmdb -lm

include tests/bench/peers/peers.mk

build/fuzz/%.o: %.c | build/deps-fuzz
	@mkdir -p $(@D)
	$(call SHOW,CC)clang $(CPPFLAGS) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

build/fuzz/%.o: %.cc | build/deps-fuzz
	@mkdir -p $(@D)
	$(call SHOW,CXX)clang++ $(CPPFLAGS) -std=c++17 $(FUZZ) -MMD -MP -c -o $@ $<

build/fuzz/bin/protobuf build/fuzz/bin/protobuf_json build/fuzz/bin/protobuf_set: build/fuzz/bin/%: $(call fuzz_objects,tests/fuzz/%.cc $(PROTOBUF) $(FUZZ_COUNTER))
	@mkdir -p $(@D)
	$(call SHOW,LD)clang++ $(FUZZ_LINK) -o $@ $^ -lprotobuf -llua5.4

build/fuzz/bin/%: build/fuzz/tests/fuzz/%.o $(call fuzz_objects,$(SOURCES) $(wildcard tests/fuzz/support/*.c))
	@mkdir -p $(@D)
	$(call SHOW,LD)clang -std=gnu11 $(FUZZ_LINK) $(FUZZ_UPSTREAM:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS)

-include $(shell find build -name '*.d' 2>/dev/null)

# What has to be fetched and built is, before the first test runs; then one kind after the other, since
# some count what the machine does.
test: ## build and run every test, under ASan and UBSan
	@$(MAKE) --no-print-directory build/deps-test build/deps-others build/deps-fuzz
	@$(MAKE) --no-print-directory testbuild fuzzbuild
	@for t in unit session fuzzbrief e2e; do $(MAKE) --no-print-directory $$t || exit 1; done

testbuild: all build/test/moontrail $(MODULE_FILES:%=build/test/%) build/tests/docs/manual \
           build/tests/h1/events $(UNIT_TESTS) $(UNIT_OTHERS) $(SESSION_TESTS) $(NPM_READY)

fuzzbuild: $(FUZZERS)

check: $(UNIT_TESTS) $(UNIT_OTHERS) $(SESSION_TESTS) build/test/moontrail $(MODULE_FILES:%=build/test/%) ## test in a minute or two, between edits
	@tests/run.sh unit $(UNIT_TESTS) $(UNIT_OTHERS)
	@tests/run.sh session $(SESSION_TESTS)
	@tests/check.sh

unit: $(UNIT_TESTS) $(UNIT_OTHERS) ## test pure modules
	@tests/run.sh unit $^

session: $(SESSION_TESTS) ## test sessions, frame by frame over memory
	@tests/run.sh session $^

e2e: all build/test/moontrail $(MODULE_FILES:%=build/test/%) build/tests/docs/manual \
     build/tests/h1/events build/deps-test build/deps-others $(NPM_READY) ## test with real clients over real sockets
	@tests/e2e.sh

# Clients of the tests from npm, with the versions that their locks name: a second one of gRPC, those
# of Connect and gRPC-Web, of reflection, and a library of tokens. Without them their tests are left out, but not in CI.
define npm_fetch
	@mkdir -p $(@D)
	@cp $^ $(@D)
	$(call SHOW,NPM)cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1 \
	    && touch ready || { tail -n 3 npm.log; rm -rf node_modules; \
	    echo 'left out: npm cannot fetch the clients of $*, and what uses them'; [ -z "$(CI)" ]; }
endef

build/%/ready: tests/e2e/%/package.json tests/e2e/%/package-lock.json | build/deps-others
	$(npm_fetch)

# And those of the benchmark's.
build/%/ready: tests/bench/peers/%/package.json tests/bench/peers/%/package-lock.json | build/deps-others
	$(npm_fetch)

fuzz: fuzzbuild ## fuzz each target for FUZZ_SECONDS (default 60), from its seeds
	@for t in $(FUZZERS); do mkdir -p build/fuzz/corpus/$${t##*/}; \
	    $$t -close_fd_mask=2 -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	        build/fuzz/corpus/$${t##*/} tests/fuzz/seeds/$${t##*/} || exit 1; done

# The same number of runs each time, from the seeds alone; fewer where each reads a file of options.
fuzzbrief: fuzzbuild
	@for t in $(FUZZERS); do echo "  FUZZ  $$t"; new=$$(mktemp -d); \
	    case $$t in *_set) runs=2500;; *) runs=20000;; esac; \
	    $$t -seed=1 -runs=$$runs -verbosity=0 $$new tests/fuzz/seeds/$${t##*/} 2>build/fuzz.log \
	        || { tail -n 40 build/fuzz.log; exit 1; }; rm -r $$new; done

bench: all build/bench/bare build/deps-test $(if $(QUICK),,build/deps-bench) ## measure CPU a request beside the peers; QUICK=1: without most
	@$(if $(QUICK),,$(MAKE) -s -k build/bench/chandler $(PEERS) build/grpcjs/ready build/ioredis/ready build/pg/ready || true)
	@/usr/bin/python3 tests/bench/bench.py $(if $(QUICK),--quick) $(if $(RECORD),--record)

# It builds what make bench is built of too, so that an interface that changes is noticed.
instructions: all build/bench/bare build/bench/chandler build/deps-instructions ## count instructions a request; RECORD=1 makes them the bounds
	@/usr/bin/python3 tests/bench/instructions.py $(if $(RECORD),--record)

lint: build/deps-lint ## check format, layers and what a linter finds
	@clang-format --dry-run --Werror $(C_FILES)
	@tests/lint/layers.sh
	@cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr --enable=warning,performance,portability \
	    --suppressions-list=tests/lint/cppcheck.txt -Iserver -I. server lua
	@luacheck --quiet --no-color --config tests/lint/luacheckrc $(LUA_FILES)
	@lua tests/lint/patterns.lua $(BUNDLED)

format: build/deps-lint ## format the C files
	clang-format -i $(C_FILES)

docs: build/tests/docs/manual ## write the options into docs/configuration.md and docs/moontrail.1
	@for f in markdown:docs/configuration.md man:docs/moontrail.1; do \
	    $< $${f%%:*} <$${f#*:} >build/manual && cp build/manual $${f#*:} || exit 1; done

install: all ## install under PREFIX (default /usr/local), inside DESTDIR
	install -D -m 755 build/moontrail $(DESTDIR)$(PREFIX)/bin/moontrail
	@for f in $(MODULE_FILES); do \
	    install -D -m 755 build/$$f $(DESTDIR)$(PREFIX)/$$f || exit 1; done
	install -D -m 644 docs/moontrail.1 $(DESTDIR)$(PREFIX)/share/man/man1/moontrail.1
	sed 's,/usr/local,$(PREFIX),' docs/moontrail.service | \
	    install -D -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/systemd/system/moontrail.service
	@for f in $(TYPES); do \
	    install -D -m 644 lua/types/$$f $(DESTDIR)$(PREFIX)/share/moontrail/types/$$f || exit 1; done

uninstall: ## undo install
	rm -f $(DESTDIR)$(PREFIX)/bin/moontrail $(DESTDIR)$(PREFIX)/share/man/man1/moontrail.1
	rm -f $(DESTDIR)$(PREFIX)/lib/systemd/system/moontrail.service
	rm -rf $(DESTDIR)$(PREFIX)/lib/moontrail
	rm -rf $(DESTDIR)$(PREFIX)/share/moontrail/types

clean: ## remove build/
	rm -rf build

deps: build/deps-build build/deps-test build/deps-lint ## install what building, tests and lint need

build/deps-build: Makefile .ci/deps.sh
	@.ci/deps.sh $(BUILD_PACKAGES) && touch $@

build/deps-run: Makefile .ci/deps.sh
	@.ci/deps.sh $(RUN_PACKAGES) && touch $@

build/deps-check: Makefile .ci/deps.sh
	@.ci/deps.sh $(CHECK_PACKAGES) && touch $@

build/deps-test: Makefile .ci/deps.sh
	@.ci/deps.sh $(TEST_PACKAGES) && touch $@

build/deps-others: Makefile .ci/deps.sh
	@.ci/deps.sh $(if $(CI),,-k) $(OTHER_PACKAGES) && touch $@

build/deps-fuzz: Makefile .ci/deps.sh
	@.ci/deps.sh $(FUZZ_PACKAGES) && touch $@

build/deps-bench: Makefile .ci/deps.sh
	@.ci/deps.sh -k $(BENCH_PACKAGES) && touch $@

build/deps-instructions: Makefile .ci/deps.sh
	@.ci/deps.sh $(INSTRUCTIONS_PACKAGES) && touch $@

build/deps-lint: Makefile .ci/deps.sh
	@.ci/deps.sh $(LINT_PACKAGES) && touch $@

$(SESSION_TESTS): $(call test_objects,$(SUPPORT))
build/tests/unit/lua/protobuf/module: | build/test/lib/moontrail/protobuf.so
$(UNIT_TESTS) $(SESSION_TESTS): | build/deps-check
$(call test_objects,$(UNITS) $(SESSIONS) $(SUPPORT)): | build/deps-check
