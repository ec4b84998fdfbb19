#include "api/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "api/signer.h"
#include "api/strict_json.h"
#include "model/errors.h"
#include "model/visible_text.h"

namespace diskrelease {
namespace {

constexpr std::size_t k_max_file_bytes = 65'536;
constexpr std::size_t k_max_value_bytes = 4'096;  // servers cap a header field at 8 KiB or so

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::string quoted(std::string_view name) { return "\"" + visible(name) + "\""; }

std::string shell_quoted(std::string_view path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return visible(text += "'", 2 * k_max_value_bytes);
}

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  const int size = std::snprintf(text.data(), text.size(), "%04o", mode & 07777U);
  return size > 0 ? std::string(text.data()) : std::string();
}

// What one place holds; values are trimmed and not empty.
struct Parts {
  std::optional<Secret> token;
  std::optional<Secret> key_id;
  std::optional<Secret> key_secret;

  [[nodiscard]] bool any() const { return token || key_id || key_secret; }
};

// How the parts are called at that place, for messages.
struct PartNames {
  std::string token;
  std::string key_id;
  std::string key_secret;
};

const PartNames& member_names() {
  static const PartNames names{"token", "access_key_id", "access_key_secret"};
  return names;
}

// A closed descriptor on every way out.
class File {
 public:
  explicit File(const std::string& path)
      // Not blocking, so that a FIFO cannot hang the start before it is seen not to be a file.
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) (void)::close(descriptor_);
  }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

enum class Shared {
  refused,          // a file that the operator names for this purpose
  warned_about,     // a file that is found
  warned_if_world,  // systemd shows the service's own access as a group's: an ACL mask
};

struct Profile {
  std::string name;
  std::string chosen_by;  // for messages
  bool by_option = false;
  bool by_environment = false;

  [[nodiscard]] bool asked_for() const { return by_option || by_environment; }
};

class Search {
 public:
  Search(const CredentialOptions& options, std::vector<std::string>* warnings)
      : options_(options), warnings_(warnings) {}

  Credential find() {
    if (options_.credentials_file) return taken(named_file(*options_.credentials_file));
    looked_at("credentials file: none named");
    if (auto found = systemd_directory()) return taken(std::move(*found));
    if (auto found = environment()) return taken(std::move(*found));
    if (auto found = cli_profile()) return taken(std::move(*found));
    fail(
        "none was found. Set ZENLAYER_ACCESS_KEY_ID and ZENLAYER_ACCESS_KEY_SECRET, or write "
        R"({"access_key_id": "...", "access_key_secret": "..."} into a file with mode 600 and name )"
        "it with --credentials-file");
  }

 private:
  struct Found {
    Credential credential;
    bool used_profile = false;
  };

  // --- the places

  Found named_file(const std::string& path) {
    looked_at("credentials file " + visible(path));
    const auto text = read_file(path, Shared::refused);
    if (!text) fail("the credentials file " + visible(path) + " does not exist");
    return from_document(path, *text, chosen_profile());
  }

  std::optional<Found> systemd_directory() {
    const auto directory = variable("CREDENTIALS_DIRECTORY");
    if (!directory) {
      looked_at("$CREDENTIALS_DIRECTORY: not set");
      return {};
    }
    const std::string path(directory->reveal());
    looked_at("$CREDENTIALS_DIRECTORY " + visible(path) +
              ": [diskrelease.]token, access_key_id and access_key_secret, credentials.json");
    for (const char* prefix : {"/diskrelease.", "/"}) {
      const std::string stem = path + prefix;
      const PartNames names{stem + "token", stem + "access_key_id", stem + "access_key_secret"};
      const Parts parts{.token = value_file(names.token),
                        .key_id = value_file(names.key_id),
                        .key_secret = value_file(names.key_secret)};
      if (parts.any()) {
        return Found{complete(parts, names, parts.token ? names.token : names.key_id), false};
      }
      const std::string document = stem + "credentials.json";
      if (const auto text = read_file(document, Shared::warned_if_world)) {
        return from_document(document, *text, chosen_profile());
      }
    }
    return {};
  }

  std::optional<Found> environment() {
    looked_at(
        "environment: ZENLAYER_TOKEN, ZENLAYER_ACCESS_KEY_ID and ZENLAYER_ACCESS_KEY_SECRET, "
        "ZENLAYERCLOUD_ACCESS_KEY_ID and ZENLAYERCLOUD_ACCESS_KEY_PASSWORD");
    for (const PartNames& names :
         {PartNames{"ZENLAYER_TOKEN", "ZENLAYER_ACCESS_KEY_ID", "ZENLAYER_ACCESS_KEY_SECRET"},
          PartNames{"", "ZENLAYERCLOUD_ACCESS_KEY_ID", "ZENLAYERCLOUD_ACCESS_KEY_PASSWORD"}}) {
      const Parts parts{.token = names.token.empty() ? std::nullopt : variable(names.token.c_str()),
                        .key_id = variable(names.key_id.c_str()),
                        .key_secret = variable(names.key_secret.c_str())};
      if (parts.any()) {
        const std::string& name = parts.token ? names.token : names.key_id;
        return Found{complete(parts, names, "environment " + name), false};
      }
    }
    return {};
  }

  std::optional<Found> cli_profile() {
    const auto home = variable("HOME");
    if (!home) {
      looked_at("profile of the official CLI: $HOME is not set");
      return {};
    }
    const std::string directory = std::string(home->reveal()) + "/.zenlayer";
    const std::string path = directory + "/credentials.json";
    const Profile profile = chosen_profile(directory + "/config.json");
    looked_at("profile " + quoted(profile.name) + " (" + profile.chosen_by + ") in " +
              visible(path));
    const auto text = read_file(path, Shared::warned_about);
    if (!text) {
      if (profile.asked_for()) {
        fail("the profile " + quoted(profile.name) + " (" + profile.chosen_by +
             ") cannot be taken: " + visible(path) + " does not exist");
      }
      return {};
    }
    return from_document(path, *text, profile);
  }

  // --- reading a place

  // Of the option or the environment, else of the CLI's settings if given, else "default".
  Profile chosen_profile(const std::string& cli_settings = {}) {
    if (options_.profile) {
      return {.name = *options_.profile, .chosen_by = "asked for", .by_option = true};
    }
    if (const auto name = variable("ZENLAYER_PROFILE")) {
      return {.name = std::string(name->reveal()),
              .chosen_by = "ZENLAYER_PROFILE",
              .by_environment = true};
    }
    const auto text = cli_settings.empty() ? std::nullopt : read_text(cli_settings);
    if (text) {
      const JsonValue settings = document(cli_settings, *text);
      const JsonValue* current = settings.find("current_profile");
      if (auto name = current == nullptr
                          ? std::nullopt
                          : string_member(*current, "current_profile", cli_settings)) {
        return {.name = std::string(name->reveal()),
                .chosen_by = "current_profile of " + visible(cli_settings)};
      }
    }
    return {.name = "default", .chosen_by = "by default"};
  }

  Found from_document(const std::string& path, const Secret& text, const Profile& profile) {
    const JsonValue root = document(path, text);
    const auto is_plain = [&](const std::string& name) {
      const JsonValue* value = root.find(name);
      return value != nullptr && value->kind != JsonValue::Kind::object;
    };
    const PartNames& names = member_names();
    if (is_plain(names.token) || is_plain(names.key_id) || is_plain(names.key_secret)) {
      if (profile.by_option && options_.credentials_file) {
        fail("the profile " + quoted(profile.name) + " was asked for, but " + visible(path) +
             " holds one credential without profiles; leave one of the two out");
      }
      const Parts parts = parts_of(root, path);
      if (!parts.any()) fail(visible(path) + " holds only empty values");
      return {complete(parts, names, path), false};
    }

    const std::string source = visible(path) + ", profile " + quoted(profile.name);
    const JsonValue* entry = root.find(profile.name);
    if (entry == nullptr) {
      fail(visible(path) + " has no profile " + quoted(profile.name) + " (" + profile.chosen_by +
           "); correct the name or add the profile");
    }
    if (entry->kind != JsonValue::Kind::object) fail(source + ": is not an object");
    const Parts parts = parts_of(*entry, source);
    if (!parts.any()) {
      fail(source +
           ": holds no credential; give it a token, or access_key_id and "
           "access_key_secret");
    }
    return {complete(parts, names, source), true};
  }

  Parts parts_of(const JsonValue& object, const std::string& source) {
    const auto part = [&](const std::string& name) -> std::optional<Secret> {
      const JsonValue* value = object.find(name);
      return value == nullptr ? std::nullopt : string_member(*value, name, source);
    };
    const PartNames& names = member_names();
    return {.token = part(names.token),
            .key_id = part(names.key_id),
            .key_secret = part(names.key_secret)};
  }

  // The official CLI leaves empty members out and takes null for empty.
  std::optional<Secret> string_member(const JsonValue& value, std::string_view name,
                                      const std::string& source) {
    if (value.kind == JsonValue::Kind::null) return {};
    if (value.kind != JsonValue::Kind::string) {
      fail(visible(source) + ": " + std::string(name) + " is not a string");
    }
    return non_empty(value.text);
  }

  JsonValue document(const std::string& path, const Secret& text) {
    auto parsed = parse_json(text.reveal());
    if (const auto* problem = std::get_if<JsonProblem>(&parsed)) {
      fail(visible(path) + " is not usable JSON: " + std::string(problem->reason) + " (near byte " +
           std::to_string(problem->offset) + ")");
    }
    auto& root = std::get<JsonValue>(parsed);
    if (root.kind != JsonValue::Kind::object) fail(visible(path) + " is not a JSON object");
    return std::move(root);
  }

  std::optional<Secret> value_file(const std::string& path) {
    const auto text = read_file(path, Shared::warned_if_world);
    if (!text) return {};
    auto value = non_empty(text->reveal());
    if (!value) fail(visible(path) + " is empty");
    return value;
  }

  std::optional<Secret> variable(const char* name) {
    auto value = options_.environment ? options_.environment(name) : std::nullopt;
    if (!value) return {};
    auto result = non_empty(*value);
    wipe(*value);
    return result;
  }

  static std::optional<Secret> non_empty(std::string_view text) {
    text = trimmed(text);
    if (text.empty()) return {};
    return Secret(std::string(text));
  }

  // nullopt: there is no such file.
  std::optional<Secret> read_file(const std::string& path, Shared shared) {
    return read_text(path, [&](const struct stat& status) { check_access(path, status, shared); });
  }

  std::optional<Secret> read_text(const std::string& path,
                                  const std::function<void(const struct stat&)>& check = nullptr) {
    const File file(path);
    if (file.descriptor() < 0) {
      if (errno == ENOENT || errno == ENOTDIR) return {};
      fail_to_read(path, errno);
    }
    struct stat status {};
    if (::fstat(file.descriptor(), &status) != 0) fail_to_read(path, errno);
    if (!S_ISREG(status.st_mode)) fail(visible(path) + " is not a regular file");
    if (check) check(status);

    std::string text(k_max_file_bytes + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
      const ssize_t got = ::read(file.descriptor(), text.data() + size, text.size() - size);
      if (got == 0) break;
      if (got > 0) {
        size += static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        const int error = errno;
        wipe(text);
        fail_to_read(path, error);
      }
    }
    text.resize(size);
    // Editors and shells of Windows put a byte order mark in front.
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    const bool utf16 = text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF");
    Secret result(std::move(text));
    if (utf16)
      fail(visible(path) + " is UTF-16, as Windows PowerShell writes it; save it as UTF-8");
    if (size > k_max_file_bytes) {
      fail(visible(path) + " is larger than " + std::to_string(k_max_file_bytes) + " bytes");
    }
    return result;
  }

  void check_access(const std::string& path, const struct stat& status, Shared shared) {
    const mode_t forbidden = shared == Shared::warned_if_world ? 0006 : 0066;
    std::string problem;
    if ((status.st_mode & forbidden) != 0) {
      problem = visible(path) + " can be read or changed by others (mode " + octal(status.st_mode) +
                "); run: chmod 600 " + shell_quoted(path);
    } else if (status.st_uid != ::geteuid() && status.st_uid != 0) {
      problem = visible(path) + " belongs to user id " + std::to_string(status.st_uid) +
                ", neither to this user (id " + std::to_string(::geteuid()) +
                ") nor to root; whoever owns it decides who is called; run: chown " +
                std::to_string(::geteuid()) + " " + shell_quoted(path);
    } else {
      return;
    }
    if (shared == Shared::refused) fail(problem);
    warn(problem);
  }

  // --- from parts to a credential

  Credential complete(const Parts& parts, const PartNames& names, const std::string& source) {
    if (parts.token) {
      if (parts.key_id || parts.key_secret) {
        warn(visible(source) + ": there is a token as well as " +
             visible(parts.key_id ? names.key_id : names.key_secret) + "; the token is used");
      }
      require_header_text(*parts.token, names.token, source);
      return {.kind = Credential::Kind::bearer,
              .id = "token:" + sha256_hex(parts.token->reveal()).substr(0, 12),
              .secret = *parts.token,
              .source = visible(source)};
    }
    if (!parts.key_id || !parts.key_secret) {
      const std::string& there = parts.key_id ? names.key_id : names.key_secret;
      const std::string& missing = parts.key_id ? names.key_secret : names.key_id;
      fail("half a key pair: " + visible(source) + " has " + visible(there) + " but not " +
           visible(missing) + "; give both or neither");
    }
    require_header_text(*parts.key_id, names.key_id, source);
    require_size(*parts.key_secret, names.key_secret, source);
    return {.kind = Credential::Kind::key_pair,
            .id = std::string(parts.key_id->reveal()),
            .secret = *parts.key_secret,
            .source = visible(source)};
  }

  // Anything else could end the header and begin another one.
  void require_header_text(const Secret& value, const std::string& name,
                           const std::string& source) {
    require_size(value, name, source);
    if (!std::ranges::all_of(value.reveal(), [](char c) { return c > ' ' && c <= '~'; })) {
      fail(visible(source) + ": " + visible(name) +
           " holds a blank, a control character or a character outside ASCII, so it cannot stand "
           "in a header; check that it was copied whole and alone");
    }
  }

  void require_size(const Secret& value, const std::string& name, const std::string& source) {
    if (value.reveal().size() > k_max_value_bytes) {
      fail(visible(source) + ": " + visible(name) + " is longer than " +
           std::to_string(k_max_value_bytes) + " bytes");
    }
  }

  Credential taken(Found found) {
    const Profile profile = chosen_profile();
    if (profile.asked_for() && !found.used_profile) {
      warn("the profile " + quoted(profile.name) + " (" + profile.chosen_by +
           ") is not used: the credential comes from " + found.credential.source);
    }
    return std::move(found.credential);
  }

  // --- telling

  void looked_at(std::string place) { places_.push_back(std::move(place)); }

  void warn(std::string text) {
    if (warnings_ != nullptr) warnings_->push_back(std::move(text));
  }

  [[noreturn]] void fail(const std::string& reason) const {
    std::string text = "no usable credential: " + reason + "\nlooked at, in this order:";
    for (const std::string& place : places_) text.append("\n  ").append(place);
    throw CallsImpossible(text);
  }

  [[noreturn]] void fail_to_read(const std::string& path, int error) const {
    fail("cannot read " + visible(path) + ": " + std::generic_category().message(error));
  }

  const CredentialOptions& options_;
  std::vector<std::string>* warnings_;
  std::vector<std::string> places_;
};

}  // namespace

std::string Credential::hint() const {
  constexpr std::size_t shown = 4;
  std::string text = "..." + id.substr(id.size() > shown ? id.size() - shown : 0);
  switch (kind) {
    case Kind::key_pair:
      text += " (key pair from ";
      break;
    case Kind::bearer:
      text += " (token from ";
      break;
  }
  return text + source + ")";
}

Credential find_credential(const CredentialOptions& options, std::vector<std::string>* warnings) {
  return Search(options, warnings).find();
}

}  // namespace diskrelease
