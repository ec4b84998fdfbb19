#include "api/credentials.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "api/signer.h"
#include "model/errors.h"

namespace diskrelease {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* k_pair =
    R"({"access_key_id": "AKIDFAKE0001", "access_key_secret": "fake-secret-1"})";
constexpr const char* k_token = R"({"token": "fake-token-1"})";
constexpr const char* k_profiles =
    R"({"default": {"access_key_id": "AKIDDEFAULT", "access_key_secret": "fake-secret-d"},
        "ci": {"token": "fake-token-ci"},
        "empty": {},
        "blank": {"token": "", "access_key_id": null},
        "half": {"access_key_id": "AKIDHALF"},
        "both": {"token": "fake-token-b", "access_key_id": "AKIDBOTH"},
        "wrong": 7})";

class CredentialsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "credentials-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    options_.environment = [this](const char* variable) -> std::optional<std::string> {
      const auto found = environment_.find(variable);
      if (found == environment_.end()) return std::nullopt;
      return found->second;
    };
  }

  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::filesystem::path path = directory_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path.string();
  }

  // The official CLI's files under a home of their own.
  void write_home(const std::string& credentials, const std::string& config = {}) {
    environment_["HOME"] = (directory_ / "home").string();
    if (!credentials.empty()) write("home/.zenlayer/credentials.json", credentials);
    if (!config.empty()) write("home/.zenlayer/config.json", config, 0644);
  }

  Credential find() {
    warnings_.clear();
    return find_credential(options_, &warnings_);
  }

  Credential find_in_file(const std::string& text, std::optional<std::string> profile = {}) {
    options_.credentials_file = write("credentials", text);
    options_.profile = std::move(profile);
    return find();
  }

  // The message of the refusal; empty if there was none.
  std::string refusal() {
    try {
      (void)find();
    } catch (const CallsImpossible& error) {
      EXPECT_THAT(error.what(), Not(HasSubstr("fake-")));  // no secret of these tests
      return error.what();
    }
    return {};
  }

  std::string refusal_of_file(const std::string& text, std::optional<std::string> profile = {}) {
    options_.credentials_file = write("credentials", text);
    options_.profile = std::move(profile);
    return refusal();
  }

  std::filesystem::path directory_;
  std::map<std::string, std::string> environment_;
  CredentialOptions options_;
  std::vector<std::string> warnings_;
};

void expect_pair(const Credential& credential, std::string_view id, std::string_view secret) {
  EXPECT_EQ(credential.kind, Credential::Kind::key_pair);
  EXPECT_EQ(credential.id, id);
  EXPECT_EQ(credential.secret.reveal(), secret);
}

void expect_token(const Credential& credential, std::string_view token) {
  EXPECT_EQ(credential.kind, Credential::Kind::bearer);
  EXPECT_EQ(credential.secret.reveal(), token);
  EXPECT_EQ(credential.id, "token:" + sha256_hex(token).substr(0, 12));
}

// --- nothing

TEST_F(CredentialsTest, NothingAnywhereNamesEveryPlaceAndWhatToDo) {
  environment_["HOME"] = directory_.string();
  environment_["CREDENTIALS_DIRECTORY"] = (directory_ / "none").string();
  const std::string message = refusal();
  for (const std::string& place :
       {std::string("credentials file: none named"), (directory_ / "none").string(),
        std::string("ZENLAYER_TOKEN"), std::string("ZENLAYER_ACCESS_KEY_SECRET"),
        std::string("ZENLAYERCLOUD_ACCESS_KEY_PASSWORD"),
        (directory_ / ".zenlayer/credentials.json").string(), std::string("--credentials-file"),
        std::string("Set ZENLAYER_ACCESS_KEY_ID")}) {
    EXPECT_THAT(message, HasSubstr(place));
  }
}

TEST_F(CredentialsTest, WithoutEnvironmentThereIsNothingToFind) {
  options_.environment = nullptr;
  const std::string message = refusal();
  EXPECT_THAT(message, HasSubstr("$CREDENTIALS_DIRECTORY: not set"));
  EXPECT_THAT(message, HasSubstr("$HOME is not set"));
}

// --- the named file

TEST_F(CredentialsTest, TheNamedFileHoldsAPairOrAToken) {
  const Credential pair = find_in_file(k_pair);
  expect_pair(pair, "AKIDFAKE0001", "fake-secret-1");
  EXPECT_EQ(pair.source, *options_.credentials_file);
  EXPECT_EQ(pair.hint(), "...0001 (key pair from " + *options_.credentials_file + ")");
  expect_token(find_in_file(k_token), "fake-token-1");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(CredentialsTest, AByteOrderMarkInFrontIsSkipped) {
  const std::string mark = "\xEF\xBB\xBF";
  options_.credentials_file = write("credentials", mark + k_pair + "\r\n");
  expect_pair(find(), "AKIDFAKE0001", "fake-secret-1");
  options_.credentials_file.reset();
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  write("access_key_id", mark + "AKIDFAKE0002\r\n");
  write("access_key_secret", mark + "fake-secret-2\n");
  expect_pair(find(), "AKIDFAKE0002", "fake-secret-2");
  write("token", mark + "fake-token-2");
  expect_token(find(), "fake-token-2");
  write("token", mark + "\n");
  EXPECT_THAT(refusal(), HasSubstr("is empty"));
}

TEST_F(CredentialsTest, AByteOrderMarkElsewhereAndUtf16AreNamed) {
  const std::string twice = "\xEF\xBB\xBF\xEF\xBB\xBF";
  options_.credentials_file = write("credentials", twice + k_pair);
  EXPECT_THAT(refusal(), HasSubstr("is not usable JSON"));
  options_.credentials_file = write("credentials", std::string("\xFF\xFE{\0}\0", 6));
  EXPECT_THAT(refusal(), HasSubstr("is UTF-16"));
}

TEST_F(CredentialsTest, TheNamedFileMayHoldProfiles) {
  expect_pair(find_in_file(k_profiles), "AKIDDEFAULT", "fake-secret-d");
  const Credential ci = find_in_file(k_profiles, "ci");
  expect_token(ci, "fake-token-ci");
  EXPECT_EQ(ci.source, *options_.credentials_file + ", profile \"ci\"");
  options_.profile.reset();
  environment_["ZENLAYER_PROFILE"] = "ci";
  expect_token(find(), "fake-token-ci");
  options_.profile = "default";
  expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(CredentialsTest, AProfileMayBeCalledLikeAMember) {
  expect_token(find_in_file(R"({"token": {"token": "fake-token-1"}})", "token"), "fake-token-1");
}

TEST_F(CredentialsTest, TheNamedFileWinsOverEverythingElse) {
  write_home(k_profiles);
  environment_["ZENLAYER_TOKEN"] = "fake-token-env";
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  write("token", "fake-token-dir");
  expect_pair(find_in_file(k_pair), "AKIDFAKE0001", "fake-secret-1");
}

TEST_F(CredentialsTest, ABadNamedFileIsNeverPassedOver) {
  environment_["ZENLAYER_TOKEN"] = "fake-token-env";
  options_.credentials_file = (directory_ / "missing").string();
  EXPECT_THAT(refusal(), HasSubstr("missing does not exist"));
  options_.credentials_file = directory_.string();
  EXPECT_THAT(refusal(), HasSubstr("is not a regular file"));
  const std::string fifo = (directory_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  options_.credentials_file = fifo;
  EXPECT_THAT(refusal(), HasSubstr("is not a regular file"));
  options_.credentials_file = (directory_ / "missing/below").string();
  EXPECT_THAT(refusal(), HasSubstr("does not exist"));
  options_.credentials_file = write("file", k_pair) + "/below";
  EXPECT_THAT(refusal(), HasSubstr("file/below does not exist"));
}

TEST_F(CredentialsTest, AFileThatCannotBeReadThroughIsAnError) {
  // A regular file of this user whose first byte cannot be read.
  options_.credentials_file = "/proc/self/mem";
  EXPECT_THAT(refusal(), HasSubstr("cannot read /proc/self/mem: Input/output error"));
}

TEST_F(CredentialsTest, ContentsThatAreNotACredentialAreRefusedWithTheReason) {
  struct Row {
    std::string text;
    std::string reason;
  };
  for (const Row& row : {
           Row{"", "is not usable JSON"},
           Row{"fake-token-1", "is not usable JSON"},
           Row{R"({"token": fake-token-1})", "(near byte 12)"},
           Row{R"({"token": "fake-1", "token": "fake-2"})", "occurs twice"},
           Row{R"(["fake-token-1"])", "is not a JSON object"},
           Row{R"({"token": 12345})", "token is not a string"},
           Row{R"({"access_key_id": ["A"], "access_key_secret": "fake-1"})",
               "access_key_id is not a string"},
           Row{R"({})", "has no profile \"default\""},
           Row{R"({"token": "", "access_key_id": null})", "holds only empty values"},
           Row{R"({"token": "  "})", "holds only empty values"},
           Row{R"({"access_key_id": "AKID"})", "has access_key_id but not access_key_secret"},
           Row{R"({"access_key_secret": "fake-1"})", "has access_key_secret but not access_key_id"},
           Row{R"({"access_key_id": "AKID", "access_key_secret": " "})",
               "has access_key_id but not access_key_secret"},
       }) {
    const std::string message = refusal_of_file(row.text);
    EXPECT_THAT(message, HasSubstr(row.reason)) << row.text;
    EXPECT_THAT(message, HasSubstr(*options_.credentials_file));
  }
}

TEST_F(CredentialsTest, ProfilesThatCannotBeUsedAreRefusedWithTheReason) {
  EXPECT_THAT(refusal_of_file(k_profiles, "typo"),
              HasSubstr("has no profile \"typo\" (asked for)"));
  EXPECT_THAT(refusal_of_file(k_profiles, "empty"), HasSubstr("holds no credential"));
  EXPECT_THAT(refusal_of_file(k_profiles, "blank"), HasSubstr("holds no credential"));
  EXPECT_THAT(refusal_of_file(k_profiles, "half"), HasSubstr("half a key pair"));
  EXPECT_THAT(refusal_of_file(k_profiles, "wrong"), HasSubstr("is not an object"));
  EXPECT_THAT(refusal_of_file(k_pair, "ci"), HasSubstr("one credential without profiles"));
  environment_["ZENLAYER_PROFILE"] = "typo";
  EXPECT_THAT(refusal_of_file(k_profiles), HasSubstr("\"typo\" (ZENLAYER_PROFILE)"));
}

TEST_F(CredentialsTest, AProfileOfTheEnvironmentThatIsNotUsedIsAWarning) {
  environment_["ZENLAYER_PROFILE"] = "ci";
  expect_pair(find_in_file(k_pair), "AKIDFAKE0001", "fake-secret-1");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("\"ci\" (ZENLAYER_PROFILE) is not used")));
}

TEST_F(CredentialsTest, ATokenWinsOverAPairOfTheSamePlaceWithAWarning) {
  expect_token(find_in_file(k_profiles, "both"), "fake-token-b");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("the token is used")));
  EXPECT_NO_THROW((void)find_credential(options_, nullptr));
}

TEST_F(CredentialsTest, AFileMayHave64KibibytesAndNotOneMore) {
  const std::string text = k_token;
  EXPECT_NO_THROW((void)find_in_file(text + std::string(65'535 - text.size(), ' ')));
  EXPECT_NO_THROW((void)find_in_file(text + std::string(65'536 - text.size(), ' ')));
  EXPECT_THAT(refusal_of_file(text + std::string(65'537 - text.size(), ' ')),
              HasSubstr("is larger than 65536 bytes"));
}

// --- permissions

TEST_F(CredentialsTest, ANamedFileThatOthersCanReadOrChangeIsRefusedWithTheCommand) {
  for (const mode_t mode : {0640U, 0620U, 0604U, 0602U, 0644U, 0666U}) {
    options_.credentials_file = write("it's", k_pair, mode);
    const std::string quoted = "'" + directory_.string() + "/it'\\''s'";
    EXPECT_THAT(refusal(), HasSubstr("run: chmod 600 " + quoted)) << mode;
  }
  for (const mode_t mode : {0600U, 0400U, 0700U, 0711U}) {
    options_.credentials_file = write("it's", k_pair, mode);
    EXPECT_EQ(refusal(), "") << mode;
  }
}

TEST_F(CredentialsTest, ASharedProfileFileIsAWarning) {
  environment_["HOME"] = directory_.string();
  const std::string path = write(".zenlayer/credentials.json", k_profiles, 0644);
  expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("(mode 0644); run: chmod 600 '" + path + "'")));
}

TEST_F(CredentialsTest, ASystemdFileMayShowItsAclMaskAsGroupRights) {
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  write("token", "fake-token-1", 0440);
  expect_token(find(), "fake-token-1");
  EXPECT_THAT(warnings_, IsEmpty());
  write("token", "fake-token-1", 0444);
  expect_token(find(), "fake-token-1");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("mode 0444")));
}

TEST_F(CredentialsTest, AFileOfAStrangerIsRefusedOrWarnedAbout) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  options_.credentials_file = write("credentials", k_pair);
  ASSERT_EQ(::chown(options_.credentials_file->c_str(), 54321, 54321), 0);
  EXPECT_THAT(refusal(), HasSubstr("belongs to user id 54321"));

  options_.credentials_file.reset();
  write_home(k_profiles);
  const std::string path = environment_["HOME"] + "/.zenlayer/credentials.json";
  ASSERT_EQ(::chown(path.c_str(), 54321, 54321), 0);
  expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("belongs to user id 54321")));
}

TEST_F(CredentialsTest, AFileThatMayNotBeReadIsAnError) {
  write_home(k_profiles);
  write("home/.zenlayer/credentials.json", k_profiles, 0000);
  // Root reads everything, so as root the test is somebody else for a moment.
  const bool root = ::geteuid() == 0;
  if (root) {
    std::filesystem::permissions(directory_, std::filesystem::perms(0755));
    ASSERT_EQ(::seteuid(65534), 0);
  }
  const std::string message = refusal();
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_THAT(message, HasSubstr("cannot read"));
}

// --- systemd

TEST_F(CredentialsTest, TheSystemdDirectoryWinsOverTheEnvironment) {
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  environment_["ZENLAYER_TOKEN"] = "fake-token-env";
  const std::string id_path = write("access_key_id", " AKIDFAKE0001\r\n");
  write("access_key_secret", "fake-secret-1\n");
  const Credential pair = find();
  expect_pair(pair, "AKIDFAKE0001", "fake-secret-1");
  EXPECT_EQ(pair.source, id_path);
  const std::string token_path = write("token", "fake-token-1\n");
  const Credential token = find();
  expect_token(token, "fake-token-1");
  EXPECT_EQ(token.source, token_path);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("the token is used")));
}

TEST_F(CredentialsTest, PrefixedSystemdFilesComeFirstAndDoNotMix) {
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  write("token", "fake-token-other");
  write("access_key_secret", "fake-secret-other");
  write("diskrelease.access_key_id", "AKIDFAKE0001");
  EXPECT_THAT(refusal(),
              HasSubstr("but not " + (directory_ / "diskrelease.access_key_secret").string()));
  write("diskrelease.access_key_secret", "fake-secret-1");
  expect_pair(find(), "AKIDFAKE0001", "fake-secret-1");
}

TEST_F(CredentialsTest, TheSystemdDirectoryMayHoldADocument) {
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  write("credentials.json", k_profiles, 0400);
  expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
  options_.profile = "ci";
  expect_token(find(), "fake-token-ci");
  options_.profile = "typo";
  EXPECT_THAT(refusal(), HasSubstr("has no profile \"typo\""));
  write("diskrelease.credentials.json", k_token, 0400);
  options_.profile.reset();
  expect_token(find(), "fake-token-1");
}

TEST_F(CredentialsTest, AnEmptySystemdFileIsAnErrorAndAnEmptyDirectoryIsNot) {
  environment_["CREDENTIALS_DIRECTORY"] = directory_.string();
  environment_["ZENLAYER_TOKEN"] = "fake-token-env";
  expect_token(find(), "fake-token-env");
  write("token", " \n");
  EXPECT_THAT(refusal(), HasSubstr("/token is empty"));
}

// --- environment

TEST_F(CredentialsTest, TheEnvironmentIsTakenInTheDocumentedOrder) {
  write_home(k_profiles);
  environment_["ZENLAYERCLOUD_ACCESS_KEY_ID"] = "AKIDTERRAFORM";
  environment_["ZENLAYERCLOUD_ACCESS_KEY_PASSWORD"] = " fake-secret-t ";
  const Credential terraform = find();
  expect_pair(terraform, "AKIDTERRAFORM", "fake-secret-t");
  EXPECT_EQ(terraform.hint(), "...FORM (key pair from environment ZENLAYERCLOUD_ACCESS_KEY_ID)");

  environment_["ZENLAYER_ACCESS_KEY_ID"] = "AKIDENV";
  environment_["ZENLAYER_ACCESS_KEY_SECRET"] = "fake-secret-e";
  const Credential pair = find();
  expect_pair(pair, "AKIDENV", "fake-secret-e");
  EXPECT_EQ(pair.source, "environment ZENLAYER_ACCESS_KEY_ID");
  EXPECT_THAT(warnings_, IsEmpty());

  environment_["ZENLAYER_TOKEN"] = "fake-token-e";
  const Credential token = find();
  expect_token(token, "fake-token-e");
  EXPECT_EQ(token.source, "environment ZENLAYER_TOKEN");
  EXPECT_EQ(token.hint(), "..." + token.id.substr(token.id.size() - 4) +
                              " (token from environment ZENLAYER_TOKEN)");
}

TEST_F(CredentialsTest, ATokenOfTheProfileDoesNotWinOverKeysOfTheEnvironment) {
  write_home(R"({"default": {"token": "fake-token-profile"}})");
  environment_["ZENLAYER_ACCESS_KEY_ID"] = "AKIDENV";
  environment_["ZENLAYER_ACCESS_KEY_SECRET"] = "fake-secret-e";
  expect_pair(find(), "AKIDENV", "fake-secret-e");
}

TEST_F(CredentialsTest, AnIdIsNeverPairedWithASecretFromElsewhere) {
  write_home(k_profiles);
  environment_["ZENLAYERCLOUD_ACCESS_KEY_ID"] = "AKIDTERRAFORM";
  environment_["ZENLAYERCLOUD_ACCESS_KEY_PASSWORD"] = "fake-secret-t";
  for (const char* half : {"ZENLAYER_ACCESS_KEY_ID", "ZENLAYER_ACCESS_KEY_SECRET"}) {
    environment_[half] = "fake-half";
    EXPECT_THAT(refusal(), HasSubstr(std::string("has ") + half + " but not ZENLAYER_ACCESS_KEY_"));
    environment_.erase(half);
  }
  environment_.erase("ZENLAYERCLOUD_ACCESS_KEY_PASSWORD");
  EXPECT_THAT(refusal(), HasSubstr("but not ZENLAYERCLOUD_ACCESS_KEY_PASSWORD"));
}

TEST_F(CredentialsTest, EmptyVariablesCountAsUnset) {
  write_home(k_profiles);
  for (const char* name : {"ZENLAYER_TOKEN", "ZENLAYER_ACCESS_KEY_ID", "ZENLAYER_ACCESS_KEY_SECRET",
                           "CREDENTIALS_DIRECTORY", "ZENLAYER_PROFILE"}) {
    environment_[name] = "";
  }
  environment_["ZENLAYERCLOUD_ACCESS_KEY_ID"] = " ";
  expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
}

TEST_F(CredentialsTest, AnAskedForProfileThatTheEnvironmentOverridesIsAWarning) {
  environment_["ZENLAYER_TOKEN"] = "fake-token-e";
  options_.profile = "ci";
  expect_token(find(), "fake-token-e");
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("\"ci\" (asked for) is not used")));
}

// --- the official CLI's profile

TEST_F(CredentialsTest, TheProfileIsChosenAsTheOfficialCliDoes) {
  const std::string config = R"({"current_profile": "ci", "profiles": {"ci": {"language": "en"}}})";
  write_home(k_profiles, config);
  const Credential current = find();
  expect_token(current, "fake-token-ci");
  EXPECT_EQ(current.source, environment_["HOME"] + "/.zenlayer/credentials.json, profile \"ci\"");
  environment_["ZENLAYER_PROFILE"] = "both";
  expect_token(find(), "fake-token-b");
  options_.profile = "default";
  expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(CredentialsTest, WithoutSettingsTheProfileIsCalledDefault) {
  for (const char* config :
       {"", "{}", R"({"current_profile": ""})", R"({"current_profile": null})"}) {
    write_home(k_profiles, config);
    expect_pair(find(), "AKIDDEFAULT", "fake-secret-d");
  }
}

TEST_F(CredentialsTest, AProfileThatIsNotThereIsAnError) {
  write_home(k_profiles, R"({"current_profile": "gone"})");
  EXPECT_THAT(refusal(), HasSubstr("has no profile \"gone\" (current_profile of "));
  environment_["ZENLAYER_PROFILE"] = "typo";
  EXPECT_THAT(refusal(), HasSubstr("has no profile \"typo\" (ZENLAYER_PROFILE)"));
  options_.profile = "typo2";
  EXPECT_THAT(refusal(), HasSubstr("has no profile \"typo2\" (asked for)"));
  environment_["HOME"] = (directory_ / "nobody").string();
  EXPECT_THAT(refusal(), HasSubstr("the profile \"typo2\" (asked for) cannot be taken"));
}

TEST_F(CredentialsTest, BrokenFilesOfTheOfficialCliAreErrors) {
  write_home("{", "{}");
  EXPECT_THAT(refusal(), HasSubstr("credentials.json is not usable JSON"));
  write_home(k_profiles, "{");
  EXPECT_THAT(refusal(), HasSubstr("config.json is not usable JSON"));
  write_home(k_profiles, R"({"current_profile": 7})");
  EXPECT_THAT(refusal(), HasSubstr("current_profile is not a string"));
  write_home(k_profiles, "[]");
  EXPECT_THAT(refusal(), HasSubstr("config.json is not a JSON object"));
}

// --- what may stand in a header

TEST_F(CredentialsTest, AnIdOrTokenThatWouldBreakTheHeaderIsRefused) {
  for (int byte = 1; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    const bool fits = byte > ' ' && byte <= '~';
    environment_ = {{"ZENLAYER_TOKEN", std::string("fake") + c + "token"}};
    EXPECT_EQ(refusal().empty(), fits) << byte;
    environment_ = {{"ZENLAYER_ACCESS_KEY_ID", std::string("AK") + c + "ID"},
                    {"ZENLAYER_ACCESS_KEY_SECRET", "fake-secret-1"}};
    EXPECT_EQ(refusal().empty(), fits) << byte;
  }
  environment_ = {{"ZENLAYER_TOKEN", "fake\r\nX-Injected: 1"}};
  EXPECT_THAT(refusal(), HasSubstr("cannot stand in a header"));
  EXPECT_THAT(refusal_of_file(R"({"token": "fake\u0000token"})"),
              HasSubstr("cannot stand in a header"));
}

TEST_F(CredentialsTest, ASecretIsNotSentAndMayHoldAnyCharacter) {
  expect_pair(
      find_in_file(R"({"access_key_id": "AKID", "access_key_secret": "p\u00e4ss w\u0001rd"})"),
      "AKID", "p\xc3\xa4ss w\x01rd");
}

TEST_F(CredentialsTest, ValuesMayHaveFourKibibytesAndNotOneByteMore) {
  for (const char* name :
       {"ZENLAYER_TOKEN", "ZENLAYER_ACCESS_KEY_ID", "ZENLAYER_ACCESS_KEY_SECRET"}) {
    for (const std::size_t size : {4'095U, 4'096U, 4'097U}) {
      environment_ = {{"ZENLAYER_ACCESS_KEY_ID", "AKID"},
                      {"ZENLAYER_ACCESS_KEY_SECRET", "fake-secret-1"}};
      environment_[name] = std::string(size, 'x');
      EXPECT_EQ(refusal().empty(), size <= 4'096) << name << size;
    }
  }
}

TEST_F(CredentialsTest, TextFromOutsideIsMadeVisibleInMessages) {
  EXPECT_THAT(refusal_of_file(k_profiles, "a\x1b[2J"), HasSubstr("has no profile \"a\\x1b[2J\""));
}

TEST(CredentialTest, AHintNeverShowsMoreThanFourCharactersOfTheId) {
  const auto hint = [](std::string id) {
    return Credential{.kind = Credential::Kind::key_pair,
                      .id = std::move(id),
                      .secret = Secret("fake-secret-1"),
                      .source = "test"}
        .hint();
  };
  EXPECT_EQ(hint("ABC"), "...ABC (key pair from test)");
  EXPECT_EQ(hint("ABCD"), "...ABCD (key pair from test)");
  EXPECT_EQ(hint("ABCDE"), "...BCDE (key pair from test)");
}

}  // namespace
}  // namespace diskrelease
