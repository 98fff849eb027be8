#pragma once

#include "config/config.h"
#include "jetstream/connection_options.h"

namespace sluice::app {

// The file's `nats`, as jetstream likes it.
jetstream::ConnectionOptions ToConnectionOptions(const config::Nats& nats);

}  // namespace sluice::app
