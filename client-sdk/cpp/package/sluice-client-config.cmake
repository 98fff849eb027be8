# find_package(sluice-client) gives the target sluice::client.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(Protobuf)  # before gRPC, whose own configuration may name its targets without looking for it
find_dependency(gRPC CONFIG)
include(${CMAKE_CURRENT_LIST_DIR}/sluice-client-targets.cmake)
