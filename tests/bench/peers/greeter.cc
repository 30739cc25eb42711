// The benchmark's gRPC service by grpc C++, synchronous as its tutorial has it.
// Usage: greeter ADDRESS CERT KEY
#include <fstream>
#include <grpcpp/grpcpp.h>
#include <iostream>
#include <sstream>

#include "greeter.grpc.pb.h"

class Service final : public bench::Greeter::Service
{
    grpc::Status SayHello(grpc::ServerContext *, const bench::HelloRequest *request,
        bench::HelloReply *reply) override
    {
        reply->set_message("Hello " + request->name());
        return grpc::Status::OK;
    }
};

static std::string read_file(const char *name)
{
    std::ostringstream text;
    text << std::ifstream(name).rdbuf();
    return text.str();
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    grpc::SslServerCredentialsOptions tls;
    tls.pem_key_cert_pairs.push_back({read_file(argv[3]), read_file(argv[2])});
    Service service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort(argv[1], grpc::SslServerCredentials(tls));
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server) {
        std::cerr << "cannot listen on " << argv[1] << "\n";
        return 1;
    }
    server->Wait();
    return 0;
}
