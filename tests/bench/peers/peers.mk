# The benchmark's peers that are programs of ours.
PEERS   = $(addprefix build/bench/,httpd-go greeter-go greeter-cc)
GO      = GO111MODULE=off GOCACHE=$(CURDIR)/build/bench/gocache \
          GOPATH=$(CURDIR)/build/bench/go:/usr/share/gocode go build -o $@
GRPC_CC = tests/bench/peers/greeter.cc build/bench/cc/greeter.pb.cc build/bench/cc/greeter.grpc.pb.cc

build/bench/httpd-go: tests/bench/peers/httpd.go
	$(call SHOW,GO)$(GO) $<

build/bench/greeter-go: tests/bench/peers/greeter.go build/bench/go/src/greeter/greeter.pb.go
	$(call SHOW,GO)$(GO) $<

build/bench/go/src/greeter/greeter.pb.go: tests/bench/scripts/greeter.proto
	@mkdir -p $(@D)
	$(call SHOW,GEN)protoc -I$(<D) --go_out=plugins=grpc,import_path=greeter:$(@D) $<

build/bench/cc/%.pb.cc build/bench/cc/%.grpc.pb.cc: tests/bench/scripts/%.proto
	@mkdir -p $(@D)
	$(call SHOW,GEN)protoc -I$(<D) --cpp_out=$(@D) --grpc_out=$(@D) \
	    --plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin) $<

build/bench/greeter-cc: $(GRPC_CC)
	$(call SHOW,CXX)$(CXX) -std=c++17 -O2 -Ibuild/bench/cc -o $@ $^ -lgrpc++ -lgrpc -lgpr -lprotobuf \
	    -labsl_synchronization
