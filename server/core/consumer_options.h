#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "core/app_health.h"
#include "core/dead_letter.h"
#include "core/ordering.h"
#include "core/redelivery.h"

namespace sluice::core {

// How one consumer is run. The defaults are those of the configuration file.
struct ConsumerOptions {
  std::string name;    // as apps call it
  std::string stream;  // JetStream's names, for people
  std::string durable;

  uint32_t pull_batch = 256;  // most messages in a pull; 256 is as fast as more (docs/performance.md)
  absl::Duration pull_expires = absl::Seconds(1);        // bounds the fence of an idle drain
  absl::Duration pull_heartbeat = absl::ZeroDuration();  // 0: half of pull_expires

  Ordering ordering = Ordering::kNone;
  KeySelector key;  // of ordering: key and exclusive
  // The durable has ack_policy: all, which needs ordering: exclusive (ack_floor.h).
  bool ack_all = false;
  bool coalesce_acks = false;   // one ACK for all that has become finished meanwhile, and not one each
  uint64_t max_unacked = 1000;  // messages; most that are finished here and not acked, behind one that is not
  uint32_t waiting_share = 50;  // most of max_ack_pending that waits in lanes (lanes.h), in percent
  RedeliveryPolicy redelivery;
  AppHealthPolicy app_health;
  DeadLetterPolicy dead_letter;

  // Of ordering: exclusive; what all daemons of the fleet have in common.
  std::string priority_group = "sluice";
  absl::Duration priority_timeout = absl::Seconds(3);  // the server's, after which it takes the active one for gone

  absl::Duration lease_max = absl::Minutes(10);       // without a word from the app
  absl::Duration resume_window = absl::Seconds(5);    // what a broken stream held is kept this long
  absl::Duration drain_timeout = absl::Seconds(45);   // of a drain that an app asks for without naming one
  absl::Duration confirm_timeout = absl::Seconds(1);  // for the server's last word, beyond a drain's deadline
  uint32_t max_streams = 4096;                        // app streams at once

  uint64_t seed = 1;  // of the jitter in its retries
};

}  // namespace sluice::core
