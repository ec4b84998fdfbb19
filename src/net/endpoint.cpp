#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "net/https_transport.h"

namespace diskrelease {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

/// The address in network order, IPv4 or IPv6.
std::optional<std::string> address_bytes(const std::string& host) {
  std::array<char, sizeof(in6_addr)> bytes{};
  if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) {
    return std::string(bytes.data(), sizeof(in_addr));
  }
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) {
    return std::string(bytes.data(), sizeof(in6_addr));
  }
  return std::nullopt;
}

bool is_label(std::string_view label) {
  constexpr std::size_t longest = 63;  // RFC 1035
  return !label.empty() && label.size() <= longest && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(),
                     [](char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-'; });
}

/// A DNS name or an IPv4 address, in lower case. A name whose last label is a number would be read
/// as an address in one of its old forms ("127.1", "0x7f.1") by some resolvers: only the dotted
/// quad is let through.
bool is_name_or_ipv4(const std::string& host) {
  constexpr std::size_t longest = 253;  // RFC 1035
  if (host.empty() || host.size() > longest) return false;
  std::string_view rest = host;
  for (;;) {
    const auto dot = rest.find('.');
    const auto label = rest.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) {
      const bool is_number =
          label.starts_with("0x") || std::all_of(label.begin(), label.end(), is_digit);
      return !is_number || address_bytes(host).has_value();
    }
    rest.remove_prefix(dot + 1);
  }
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  if (text.empty() || text.front() == '0') return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return port;
}

std::optional<Endpoint> parse_host_and_port(std::string_view text, std::uint16_t default_port) {
  Endpoint endpoint{.host = {}, .port = default_port};
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    endpoint.host = lower_case(text.substr(1, bracket - 1));
    if (endpoint.host.find(':') == std::string::npos || !address_bytes(endpoint.host)) {
      return std::nullopt;
    }
    port = text.substr(bracket + 1);
    has_port = !port.empty();
    if (has_port && port.front() != ':') return std::nullopt;
    if (has_port) port.remove_prefix(1);
  } else {
    const auto colon = text.find(':');
    endpoint.host = lower_case(text.substr(0, colon));
    if (!is_name_or_ipv4(endpoint.host)) return std::nullopt;
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
  }
  if (has_port) {
    const auto parsed = parse_port(port);
    if (!parsed) return std::nullopt;
    endpoint.port = *parsed;
  }
  return endpoint;
}

/// Undoes %XX; nullopt for a broken escape or a control character, which could end a header field.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      unsigned value = 0;
      const auto digits = text.substr(i + 1, 2);
      const auto [stop, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
      if (digits.size() != 2 || error != std::errc{} || stop != digits.data() + 2) {
        return std::nullopt;
      }
      c = static_cast<char>(value);
      i += 2;
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    result += c;
  }
  return result;
}

/// "192.168.0.0/16" or "fd00::/8"; false as well for what is no such block.
bool block_holds(std::string_view block, const std::string& host) {
  const auto slash = block.find('/');
  std::string_view start = block.substr(0, slash);
  if (start.starts_with('[') && start.ends_with(']')) start = start.substr(1, start.size() - 2);
  const auto first = address_bytes(std::string(start));
  const auto address = address_bytes(host);
  const std::string_view digits = block.substr(slash + 1);
  std::size_t bits = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (error != std::errc{} || stop != digits.data() + digits.size() || !first || !address ||
      first->size() != address->size() || bits > 8 * address->size()) {
    return false;
  }
  const auto bit = [](const std::string& bytes, std::size_t i) {
    return static_cast<unsigned char>(bytes[i / 8]) >> (7 - i % 8) & 1;
  };
  for (std::size_t i = 0; i < bits; ++i) {
    if (bit(*first, i) != bit(*address, i)) return false;
  }
  return true;
}

/// One entry of NO_PROXY, in lower case and without blanks around it.
bool entry_names(std::string entry, const Endpoint& endpoint) {
  if (entry == "*") return true;
  if (entry.find('/') != std::string::npos) return block_holds(entry, endpoint.host);
  if (entry.starts_with("*.")) entry.erase(0, 1);
  if (entry.starts_with('.')) entry.erase(0, 1);
  if (const auto parsed = parse_host_and_port(entry, 0)) {
    if (parsed->port != 0 && parsed->port != endpoint.port) return false;
    entry = parsed->host;
  }
  if (const auto address = address_bytes(endpoint.host)) return address_bytes(entry) == address;
  if (entry.empty() || !endpoint.host.ends_with(entry)) return false;
  const auto before = endpoint.host.size() - entry.size();
  return before == 0 || endpoint.host[before - 1] == '.';
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  return parse_host_and_port(text, Endpoint{}.port);
}

std::string host_header(const Endpoint& endpoint) {
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  std::string result = is_ipv6 ? "[" + endpoint.host + "]" : endpoint.host;
  if (endpoint.port != Endpoint{}.port) result += ":" + std::to_string(endpoint.port);
  return result;
}

std::optional<Proxy> parse_proxy(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (lower_case(url.substr(0, scheme.size())) != scheme) return std::nullopt;
  url.remove_prefix(scheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  Proxy proxy;
  // The last one: a password with a bare '@' is a common slip, a host never holds one.
  if (const auto at = url.rfind('@'); at != std::string_view::npos) {
    const auto credentials = url.substr(0, at);
    const auto colon = credentials.find(':');
    const auto user = percent_decoded(credentials.substr(0, colon));
    const auto password = percent_decoded(
        colon == std::string_view::npos ? std::string_view{} : credentials.substr(colon + 1));
    // RFC 7617: a user name with a colon cannot be written down.
    if (!user || user->empty() || user->find(':') != std::string::npos || !password) {
      return std::nullopt;
    }
    proxy.user = *user;
    proxy.password = *password;
    url.remove_prefix(at + 1);
  }
  const auto endpoint = parse_host_and_port(url, proxy.port);
  if (!endpoint) return std::nullopt;
  proxy.host = endpoint->host;
  proxy.port = endpoint->port;
  return proxy;
}

bool bypasses_proxy(const Endpoint& endpoint, std::string_view no_proxy) {
  // Blanks alone part entries, too, as for curl.
  constexpr std::string_view separators = ", \t";
  while (!no_proxy.empty()) {
    const auto end = std::min(no_proxy.find_first_of(separators), no_proxy.size());
    const auto entry = no_proxy.substr(0, end);
    no_proxy.remove_prefix(std::min(end + 1, no_proxy.size()));
    if (!entry.empty() && entry_names(lower_case(entry), endpoint)) return true;
  }
  return false;
}

}  // namespace diskrelease
