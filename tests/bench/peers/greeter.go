// The benchmark's gRPC service by grpc-go. Usage: greeter ADDRESS CERT KEY
package main

import (
	"context"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"greeter"
)

type service struct{}

func (service) SayHello(_ context.Context, r *greeter.HelloRequest) (*greeter.HelloReply, error) {
	return &greeter.HelloReply{Message: "Hello " + r.Name}, nil
}

func main() {
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	tls, err := credentials.NewServerTLSFromFile(os.Args[2], os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(tls))
	greeter.RegisterGreeterServer(server, service{})
	log.Fatal(server.Serve(listener))
}
