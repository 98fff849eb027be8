#include "app/connection_options.h"

namespace sluice::app {

jetstream::ConnectionOptions ToConnectionOptions(const config::Nats& nats) {
  jetstream::ConnectionOptions options;
  options.servers = nats.servers;
  options.name = nats.name;
  options.user = nats.user;
  options.password = nats.password;
  options.token = nats.token;
  options.credentials_file = nats.credentials_file;
  options.nkey_seed_file = nats.nkey_seed_file;
  options.tls.enabled = nats.tls.enabled;
  options.tls.ca_file = nats.tls.ca_file;
  options.tls.cert_file = nats.tls.cert_file;
  options.tls.key_file = nats.tls.key_file;
  options.tls.server_name = nats.tls.server_name;
  options.tls.insecure_skip_verify = nats.tls.insecure_skip_verify;
  options.reconnect_wait = nats.reconnect_wait;
  options.api_prefix = nats.api_prefix;
  options.domain = nats.domain;
  return options;
}

}  // namespace sluice::app
