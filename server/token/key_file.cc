#include "token/key_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "token/codec.h"

namespace sluice::token {
namespace {

constexpr size_t kKeyBytes = SealedTokenCodec::kKeyBytes;

std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  // Up to 256 bytes come whole.
  SLUICE_CHECK(getrandom(bytes.data(), size, 0) == static_cast<ssize_t>(size), "the kernel has random numbers");
  return bytes;
}

// So that only its daemon can make tokens.
absl::Status CheckFile(const std::string& path, int fd) {
  struct stat info {};
  if (fstat(fd, &info) != 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path));
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a plain file; configure another path"));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s can be used by others, its mode is %04o; remove it, as a new one is made (apps that resume "
                        "then hold old tokens in vain), or chmod 600",
                        path, info.st_mode & 07777));
  }
  if (info.st_size != static_cast<off_t>(kKeyBytes)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " has ", info.st_size, " bytes and is no key, which has ",
                                                      kKeyBytes,
                                                      "; remove it, a new one is made, or configure another path"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Load(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    const int error = errno;
    return absl::ErrnoToStatus(error, absl::StrCat("cannot read the token key ", path,
                                                   "; this user must own it, and it must be no symbolic link"));
  }
  const auto close_it = absl::MakeCleanup([fd] { close(fd); });
  if (absl::Status status = CheckFile(path, fd); !status.ok()) return status;
  std::string key(kKeyBytes, '\0');
  if (read(fd, key.data(), key.size()) != static_cast<ssize_t>(key.size())) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read the token key ", path));
  }
  return key;
}

absl::Status CannotMake(const std::string& path, int error) {
  return absl::ErrnoToStatus(error,
                             absl::StrCat("cannot make the token key ", path,
                                          error == ENOENT ? "; make its directory first"
                                                          : "; this user must be able to write to its directory"));
}

// Written beside it first, and then linked there unless another daemon was quicker.
absl::Status Make(const std::string& path) {
  std::string draft = absl::StrCat(path, ".XXXXXX");
  const int fd = mkostemp(draft.data(), O_CLOEXEC);  // with mode 0600
  if (fd < 0) return CannotMake(path, errno);
  const auto remove = absl::MakeCleanup([&] {
    close(fd);
    unlink(draft.c_str());
  });
  const std::string key = RandomKey();
  errno = 0;
  if (write(fd, key.data(), key.size()) != static_cast<ssize_t>(key.size()) || fsync(fd) != 0) {
    return CannotMake(path, errno != 0 ? errno : ENOSPC);
  }
  if (link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST) return CannotMake(path, errno);
  return absl::OkStatus();
}

}  // namespace

std::string RandomKey() { return RandomBytes(kKeyBytes); }

uint64_t RandomInstance() {
  uint64_t instance = 0;
  for (const char byte : RandomBytes(sizeof(instance))) instance = instance << 8 | static_cast<uint8_t>(byte);
  return instance;
}

absl::StatusOr<std::string> LoadOrMakeKey(const std::string& path) {
  absl::StatusOr<std::string> key = Load(path);
  if (!absl::IsNotFound(key.status())) return key;
  if (absl::Status status = Make(path); !status.ok()) return status;
  return Load(path);
}

}  // namespace sluice::token
