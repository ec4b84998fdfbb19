// A peer: a fast client without a database. Before an item is sent, a line goes into a log file and
// is made durable with fdatasync; the outcome is a line that is not. No resume, rate or preflight.
//
//   bench_fsync_client PORT CA-FILE LIST LOG THREADS together|one-by-one
//
// together: threads may call fdatasync at once, and the kernel makes the lines of several durable
// in one go. one-by-one: a lock is held over it, as loggers hold one. One kept connection a thread,
// verified against the CA; the credential is that of the environment. Prints how many items were
// accepted.

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr const char* k_fixed_head =
    "POST /api/v2/zec HTTP/1.1\r\nContent-Type: application/json\r\nX-ZC-Action: ReleaseDisk\r\n"
    "X-ZC-Version: 2025-09-01\r\nX-ZC-Service: zec\r\nX-ZC-Signature-Method: ZC2-HMAC-SHA256\r\n";

struct Work {
  std::uint16_t port = 0;
  std::string host, key_id, key_secret;
  std::vector<std::string> disks;
  int log = -1;
  bool one_by_one = false;
  std::mutex log_mutex;
  SSL_CTX* tls = SSL_CTX_new(TLS_client_method());
  std::atomic<std::size_t> next{0}, accepted{0};
  std::chrono::steady_clock::time_point first_sent;  // by who has the first disk
};

[[noreturn]] void fail(const std::string& doing) {
  std::cerr << "bench_fsync_client: " + doing + "\n";
  std::_Exit(1);
}

std::string hex(const unsigned char* bytes, unsigned size) {
  std::string text;
  for (const unsigned byte : std::span(bytes, size)) {
    text += {"0123456789abcdef"[byte >> 4U], "0123456789abcdef"[byte & 15U]};
  }
  return text;
}

std::string sha256(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex(digest.data(), size);
}

// The signature is described in docs/protocol.md.
std::string signed_request(const Work& work, const std::string& disk) {
  const std::string body = "{\"diskId\":\"" + disk + "\"}";
  const std::string now = std::to_string(std::time(nullptr));
  const std::string text = "ZC2-HMAC-SHA256\n" + now + "\n" +
                           sha256("POST\n/\n\ncontent-type:application/json\nhost:" + work.host +
                                  "\n\ncontent-type;host\n" + sha256(body));
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), work.key_secret.data(), static_cast<int>(work.key_secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  return std::string(k_fixed_head) + "X-ZC-Timestamp: " + now + "\r\nHost: " + work.host +
         "\r\nAuthorization: ZC2-HMAC-SHA256 Credential=" + work.key_id +
         ", SignedHeaders=content-type;host, Signature=" + hex(mac.data(), size) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void write_line(int log, const std::string& line) {
  if (write(log, line.data(), line.size()) != static_cast<ssize_t>(line.size())) fail("write");
}

void log_durably(Work& work, const std::string& line) {
  std::unique_lock lock(work.log_mutex, std::defer_lock);
  if (work.one_by_one) lock.lock();
  write_line(work.log, line);
  if (fdatasync(work.log) != 0) fail("fdatasync");
}

SSL* connect_to(const Work& work) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(work.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* to = reinterpret_cast<const sockaddr*>(&address);
  if (connect(descriptor, to, sizeof address) != 0) fail("connect");
  SSL* tls = SSL_new(work.tls);
  if (SSL_set_fd(tls, descriptor) != 1 || SSL_connect(tls) != 1) fail("TLS handshake");
  return tls;
}

// Reads one answer, whose length its head tells.
std::string receive(SSL* tls) {
  std::string answer;
  std::array<char, 4096> buffer{};
  for (std::size_t whole = 0; whole == 0 || answer.size() < whole;) {
    const int count = SSL_read(tls, buffer.data(), static_cast<int>(buffer.size()));
    if (count <= 0) fail("the connection has ended within an answer");
    answer.append(buffer.data(), static_cast<std::size_t>(count));
    const std::size_t end = answer.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const std::size_t length = answer.find("Content-Length: ");
    if (length > end) fail("an answer without Content-Length");
    whole = end + 4 + std::strtoul(answer.c_str() + length + 16, nullptr, 10);
  }
  return answer;
}

void release_all(Work& work) {
  SSL* tls = connect_to(work);
  for (std::size_t i = work.next++; i < work.disks.size(); i = work.next++) {
    log_durably(work, "intent " + work.disks[i] + "\n");
    const std::string request = signed_request(work, work.disks[i]);
    if (i == 0) work.first_sent = std::chrono::steady_clock::now();
    if (SSL_write(tls, request.data(), static_cast<int>(request.size())) <= 0) fail("send");
    const bool accepted = receive(tls).compare(0, 13, "HTTP/1.1 200 ") == 0;
    write_line(work.log, (accepted ? "accepted " : "refused ") + work.disks[i] + "\n");
    if (accepted) ++work.accepted;
  }
}

}  // namespace

int main(int argument_count, char** arguments) {
  const char* key_id = std::getenv("ZENLAYER_ACCESS_KEY_ID");
  const char* key_secret = std::getenv("ZENLAYER_ACCESS_KEY_SECRET");
  if (argument_count != 7 || key_id == nullptr || key_secret == nullptr) fail("usage: see source");
  Work work;
  work.port = static_cast<std::uint16_t>(std::atoi(arguments[1]));
  work.host = std::string("127.0.0.1:") + arguments[1];
  work.key_id = key_id;
  work.key_secret = key_secret;
  const std::string syncs = arguments[6];
  if (syncs != "together" && syncs != "one-by-one") fail("usage: see source");
  work.one_by_one = syncs == "one-by-one";
  std::ifstream list(arguments[3]);
  for (std::string line; std::getline(list, line);) work.disks.push_back(line);
  work.log = open(arguments[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (work.log < 0) fail("the log cannot be opened");
  SSL_CTX_set_verify(work.tls, SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(work.tls, arguments[2], nullptr) != 1) fail("CA file");

  std::vector<std::jthread> pool;
  for (int i = std::atoi(arguments[5]); i > 0; --i) pool.emplace_back(release_all, std::ref(work));
  pool.clear();  // waits for them
  const std::chrono::duration<double> sending = std::chrono::steady_clock::now() - work.first_sent;
  std::cout << work.accepted << '\n' << sending.count() << '\n';
  return 0;
}
