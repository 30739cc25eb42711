"""Asks the guide for a feature and for several, records a route, and chats about places."""
import sys

import grpc
from route_guide_pb2 import Feature, Point, Rectangle, RouteNote, RouteSummary

MENDHAM = Point(latitude=407838351, longitude=-746143763)
WHIPPANY = Point(latitude=408122808, longitude=-743999179)
NOWHERE = Point(latitude=1, longitude=2)


def method(kind, name, request, reply):
    return kind(f"/routeguide.RouteGuide/{name}", request_serializer=request.SerializeToString,
                response_deserializer=reply.FromString)


with grpc.insecure_channel(sys.argv[1]) as channel:
    get_feature = method(channel.unary_unary, "GetFeature", Point, Feature)
    print("GetFeature:", get_feature(MENDHAM).name)
    print("GetFeature:", get_feature(NOWHERE).name or "nothing there")

    list_features = method(channel.unary_stream, "ListFeatures", Rectangle, Feature)
    for feature in list_features(Rectangle(lo=Point(latitude=407000000, longitude=-750000000),
                                           hi=Point(latitude=410000000, longitude=-730000000))):
        print("ListFeatures:", feature.name)

    record_route = method(channel.stream_unary, "RecordRoute", Point, RouteSummary)
    summary = record_route(iter([MENDHAM, NOWHERE, WHIPPANY]))
    print("RecordRoute:", summary.point_count, "points,", summary.feature_count, "features,",
          summary.distance // 1000, "km")

    route_chat = method(channel.stream_stream, "RouteChat", RouteNote, RouteNote)
    notes = [RouteNote(location=place, message=text) for place, text in (
        (MENDHAM, "first"), (WHIPPANY, "second"), (MENDHAM, "third"), (MENDHAM, "fourth"))]
    for note in route_chat(iter(notes)):
        print("RouteChat:", note.message)
