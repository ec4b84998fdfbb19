#include "platform/ed25519.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "model/errors.h"
#include "model/shown_path.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_signature_bytes = 64;
/// A PEM file of such a key has some 120 bytes; comments may stand before it.
constexpr std::size_t k_most_bytes = 64 * 1024;

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;

struct BioDeleter {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, ContextDeleter>;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& what) {
  throw UsageError("key file " + shown(file) + ": " + what);
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// An encrypted key would make OpenSSL ask on the terminal.
int no_password(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*user*/) { return -1; }

/// A private key must be for the eyes of its owner only.
void require_private(const std::filesystem::path& file, const struct stat& status) {
  if ((status.st_mode & 0077U) != 0) {
    std::array<char, 8> mode{};
    static_cast<void>(std::snprintf(mode.data(), mode.size(), "%04o", status.st_mode & 07777U));
    fail(file, std::string("can be read or changed by others (mode ") + mode.data() +
                   "); chmod 600 it, and make a new key if somebody may have seen it");
  }
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    fail(file,
         "belongs to user id " + std::to_string(status.st_uid) + ", not to this user or root");
  }
}

/// The file's bytes, in memory that OpenSSL wipes. The descriptor that is checked is the one that
/// is read.
Bio contents_of(const std::filesystem::path& file, bool is_private) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail(file, std::string("cannot be opened: ") + std::strerror(errno));
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    fail(file, std::string("cannot be read: ") + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) fail(file, "is not a regular file");
  if (is_private) require_private(file, status);
  Bio bio(BIO_new(BIO_s_secmem()));
  if (!bio) throw std::bad_alloc();
  std::array<char, 4096> buffer{};
  std::size_t size = 0;
  while (true) {
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got == 0) break;
    if (got < 0) fail(file, std::string("cannot be read: ") + std::strerror(errno));
    size += static_cast<std::size_t>(got);
    if (size > k_most_bytes) fail(file, "is larger than 64 KiB");
    if (BIO_write(bio.get(), buffer.data(), static_cast<int>(got)) != got) throw std::bad_alloc();
  }
  ::explicit_bzero(buffer.data(), buffer.size());
  return bio;
}

/// Whether it is what it has to be; what OpenSSL has to say about it is of no use to an operator.
Key checked(EVP_PKEY* raw, const std::filesystem::path& file, const char* what) {
  Key key(raw);
  ERR_clear_error();
  if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) fail(file, what);
  return key;
}

}  // namespace

struct SigningKey::Private {
  Key key;
};

SigningKey::SigningKey(std::unique_ptr<Private> key) : private_(std::move(key)) {}
SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;

SigningKey SigningKey::read(const std::filesystem::path& file) {
  const Bio bio = contents_of(file, true);
  Key key = checked(PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_password, nullptr), file,
                    "is not a PEM file with an unencrypted private Ed25519 key; make one with: "
                    "(umask 077; openssl genpkey -algorithm ed25519 -out FILE)");
  return SigningKey(std::make_unique<Private>(Private{std::move(key)}));
}

std::string SigningKey::sign(std::string_view text) const {
  const Context context(EVP_MD_CTX_new());
  std::array<unsigned char, k_signature_bytes> signature{};
  std::size_t size = signature.size();
  if (!context ||
      EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, private_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, bytes_of(text), text.size()) != 1) {
    throw std::bad_alloc();
  }
  return {reinterpret_cast<const char*>(signature.data()), size};
}

std::string SigningKey::public_key() const {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (!bio || PEM_write_bio_PUBKEY(bio.get(), private_->key.get()) != 1) throw std::bad_alloc();
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

struct VerifyingKey::Private {
  Key key;
};

VerifyingKey::VerifyingKey(std::unique_ptr<Private> key) : private_(std::move(key)) {}
VerifyingKey::~VerifyingKey() = default;
VerifyingKey::VerifyingKey(VerifyingKey&&) noexcept = default;

VerifyingKey VerifyingKey::read(const std::filesystem::path& file) {
  const Bio bio = contents_of(file, false);
  Key key = checked(PEM_read_bio_PUBKEY(bio.get(), nullptr, &no_password, nullptr), file,
                    "is not a PEM file with a public Ed25519 key; of a private key make it with: "
                    "openssl pkey -in KEY -pubout -out FILE");
  return VerifyingKey(std::make_unique<Private>(Private{std::move(key)}));
}

bool VerifyingKey::verify(std::string_view text, std::string_view signature) const {
  const Context context(EVP_MD_CTX_new());
  if (!context ||
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, private_->key.get()) != 1) {
    throw std::bad_alloc();
  }
  const int result = EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                                      bytes_of(text), text.size());
  ERR_clear_error();
  return result == 1;
}

std::string to_base64(std::string_view bytes) {
  // Four characters for three bytes, and the terminating NUL.
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes_of(bytes),
                                   static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > k_most_bytes) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text),
                                   static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  // It counts the bytes that padding stands for.
  const auto padding = static_cast<std::size_t>(text.ends_with("==")  ? 2
                                                : text.ends_with('=') ? 1
                                                                      : 0);
  bytes.resize(static_cast<std::size_t>(size) - padding);
  // EVP_DecodeBlock overlooks blanks around the text and odd bits in its last character.
  if (to_base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace diskrelease
