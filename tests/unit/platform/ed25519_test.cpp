#include "platform/ed25519.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "model/errors.h"
#include "platform/sha256.h"
#include "support/temporary_directory.h"
#include "support/test_key.h"

namespace diskrelease {
namespace {

using ::testing::HasSubstr;

template <class Key>
std::string refusal(const std::filesystem::path& file) {
  try {
    static_cast<void>(Key::read(file));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "none";
}

class Ed25519Test : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& text,
                              mode_t mode = 0600) {
    std::ofstream(directory_ / name) << text;
    ::chmod((directory_ / name).c_str(), mode);
    return directory_ / name;
  }

  TemporaryDirectory directory_;
};

/// RFC 8032, section 7.1, TEST 2.
TEST_F(Ed25519Test, SignsAsTheStandardSays) {
  const SigningKey key = SigningKey::read(write("key.pem", k_test_signing_key));
  const std::string signature = key.sign("\x72");
  EXPECT_EQ(to_hex(signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  const VerifyingKey other_side = VerifyingKey::read(write("pub.pem", key.public_key(), 0644));
  EXPECT_TRUE(other_side.verify("\x72", signature));
  EXPECT_FALSE(other_side.verify("\x73", signature));
  EXPECT_FALSE(other_side.verify("", signature));
  EXPECT_FALSE(other_side.verify("\x72", ""));
  EXPECT_FALSE(other_side.verify("\x72", signature + "x"));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    std::string changed = signature;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(other_side.verify("\x72", changed)) << i;
  }
}

TEST_F(Ed25519Test, RefusesAPrivateKeyThatOthersCouldUse) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0602U, 0610U, 0601U}) {
    EXPECT_THAT(refusal<SigningKey>(write("key.pem", k_test_signing_key, mode)),
                HasSubstr("can be read or changed by others (mode 06"))
        << mode;
  }
  EXPECT_EQ(refusal<SigningKey>(write("key.pem", k_test_signing_key, 0400)), "none");
}

TEST_F(Ed25519Test, RefusesWhatIsNoKey) {
  EXPECT_THAT(refusal<SigningKey>(directory_ / "nothing"), HasSubstr("No such file"));
  EXPECT_THAT(refusal<SigningKey>(directory_.path()), HasSubstr("is not a regular file"));
  EXPECT_THAT(refusal<SigningKey>(write("a", "")), HasSubstr("openssl genpkey"));
  EXPECT_THAT(refusal<SigningKey>(write("b", std::string(70'000, 'x'))), HasSubstr("64 KiB"));
  const std::string pub = SigningKey::read(write("key.pem", k_test_signing_key)).public_key();
  EXPECT_THAT(refusal<SigningKey>(write("c", pub)), HasSubstr("private Ed25519 key"));
  EXPECT_THAT(refusal<VerifyingKey>(write("d", k_test_signing_key)),
              HasSubstr("public Ed25519 key"));
  // X25519, which is for key agreement: the same but for one byte of its name.
  EXPECT_THAT(
      refusal<SigningKey>(write("e",
                                "-----BEGIN PRIVATE KEY-----\n"
                                "MC4CAQAwBQYDK2VuBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
                                "-----END PRIVATE KEY-----\n")),
      HasSubstr("private Ed25519 key"));
}

TEST(Base64Test, IsThatOfTheStandardAndStrict) {
  // RFC 4648, section 10.
  for (const auto& [text, encoded] :
       {std::pair("", ""), std::pair("f", "Zg=="), std::pair("fo", "Zm8="),
        std::pair("foo", "Zm9v"), std::pair("foob", "Zm9vYg=="), std::pair("fooba", "Zm9vYmE="),
        std::pair("foobar", "Zm9vYmFy")}) {
    EXPECT_EQ(to_base64(text), encoded);
    EXPECT_EQ(from_base64(encoded), text);
  }
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9v\n", " Zg=", "Zg==Zg==", "====", "Zm9%"}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace diskrelease
