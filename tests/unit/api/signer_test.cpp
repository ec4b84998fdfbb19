#include "api/signer.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

// Made with the official Python SDK (zenlayer/zenlayercloud-sdk-python 2.0.69) and checked against
// an independent HMAC. Numbers without a name beside them are what the case differs in.
constexpr std::string_view k_key_id = "AKIDEXAMPLE0000000001";
constexpr std::string_view k_secret = "SecretExamplePassword000000001";
constexpr std::string_view k_host = "console.zenlayer.com";
constexpr std::string_view k_json = "application/json";
constexpr std::string_view k_release = R"({"diskId":"862857204414550690"})";
constexpr std::string_view k_release_spaced = R"({"diskId": "862857204414550690"})";
constexpr std::string_view k_release_hash =
    "be878f9c32e5911a822b24d2106e29b78ee418caf2a73ebba3185f6e38a61cc5";
constexpr std::string_view k_release_request_hash =
    "25ac040b5b4180c0a1c8d13584119a5900b7006aa92400bb13ab816bb573037d";
constexpr std::string_view k_release_spaced_hash =
    "e1386659fdafb3cc8a5a8a13a58c1e4892e8ef78e118b8d738d7cc8d77bd4bdd";

struct Vector {
  std::string_view name;
  std::string_view body;
  std::string_view body_hash;
  std::string_view request_hash;  // empty: not published
  std::string_view signature;
  std::string_view secret = k_secret;
  std::string_view host = k_host;
  std::string_view content_type = k_json;
  std::int64_t time = 1700000000;
  std::size_t request_bytes = 147;

  [[nodiscard]] SignedParts parts() const {
    return {.content_type = content_type, .host = host, .body = body, .unix_seconds = time};
  }
};

const Vector k_vectors[] = {
    {.name = "ReleaseDisk, compact",
     .body = k_release,
     .body_hash = k_release_hash,
     .request_hash = k_release_request_hash,
     .signature = "d0249e58b870346312e715d3fb992d576f890f3c92911022db04e444362c0329"},
    {.name = "ReleaseDisk with Python's blank",
     .body = k_release_spaced,
     .body_hash = k_release_spaced_hash,
     .request_hash = "852bedeef761ad0f0fdbc5a62ee3024d9c2ae040aee91b68d68456ac5a664b14",
     .signature = "995338949cef943b8d33eaa7f628f7432747442785f6f6e0ec3ca00eed9e51dd"},
    {.name = "raw UTF-8 in the body",
     .body = "{\"diskName\":\"\xe6\x95\xb0\xe6\x8d\xae\xe7\x9b\x98-\xc3\xa9-\xf0\x9f\x98\x80\"}",
     .body_hash = "90453a00a8f4692f48ac1fdabab593c87323041b84f79d74190fbe289ffded49",
     .request_hash = "471164d604ef1bb8d016bf6385a641ecd466599cfa491faee2544ed48ccd7b7c",
     .signature = "cc8f2b6b88bb43842abdcaaf7597fba353b664ef66318a1611e219d9f70459d9"},
    {.name = "the same, ASCII-escaped",
     .body = R"({"diskName":"\u6570\u636e\u76d8-\u00e9-\ud83d\ude00"})",
     .body_hash = "8654651fa6d453db0f1d2e7f566433aff9ee282f810d2dd7c09e354f6b035ac8",
     .request_hash = "bd0300d139fc0eac42cf0d7252064385308947f1b56870908a88f0f3db37d6ce",
     .signature = "1bec92797feabdfa8913754eb6451d36596a3df33f5f6cf99d814bd754852563"},
    {.name = "empty object",
     .body = "{}",
     .body_hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
     .request_hash = "2eb6d40a6d77fe762274e366f8d05626427e80b1c9e1a816d9c08676d12257a4",
     .signature = "c449cacf0e67538cf03df0ebe537fd4d09632a636b29dc31b352112bdb5f0f83"},
    {.name = "DescribeDisks",
     .body =
         R"({"diskIds":["862857204414550690","862857204414550691"],"pageNum":1,"pageSize":1000})",
     .body_hash = "c6e3f6d96d0f553815611f75d1bf68cdd12bdac0ed500fbeba5342e1c4b0cff1",
     .request_hash = "96d776c69fb2328ec36ba84f53ad1aa1b56d71ed391689c7702971518ba8973a",
     .signature = "03a23f946299b78e970df811072e891df029b172808e3a0362c62e86951d28e8"},
    {.name = "a port in the host",
     .body = k_release,
     .body_hash = k_release_hash,
     .request_hash = "d9d1c12493b034c05e5a8eb9629a2bd41ac6ee42592ae1d11c9188b52fcea248",
     .signature = "6f61eda55b5adb56bcd6f05999f1273d2c204d45ee1749ed2ed0b1c1ff8412e4",
     .host = "127.0.0.1:18080",
     .request_bytes = 142},
    {.name = "charset in the content type",
     .body = k_release,
     .body_hash = k_release_hash,
     .request_hash = "7b66ca624968da4b0764ae471e02aa537185c253c7b59f11c38485e3cb4275ea",
     .signature = "0659f777b543345d35ae918cefef572cea1f5ca2f42a33c8b5b3c5e76936f33e",
     .content_type = "application/json; charset=utf-8",
     .request_bytes = 162},
    {.name = "UTF-8 in the secret",
     .body = k_release,
     .body_hash = k_release_hash,
     .request_hash = k_release_request_hash,
     .signature = "f4956c9896bab17815405fa395f331718272eefd6660d17f7464edd891f88a7b",
     .secret = "p\xc3\xa4ssw\xc3\xb6rd-\xe5\xaf\x86\xe7\xa0\x81"},
    {.name = "a secret longer than a block of the hash",
     .body = k_release,
     .body_hash = k_release_hash,
     .request_hash = k_release_request_hash,
     .signature = "8dfc058e2df9844439c5e8997fd6a332e9fb9a537801d3c56faf72eebaebd8e6",
     .secret = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {.name = "line feeds in the body",
     .body = "{\n  \"diskId\": \"862857204414550690\"\n}\n",
     .body_hash = "fd58224691ad7933a11d4e3f60f2b01e31c54f596515c566e75068722f38519a",
     .request_hash = "f9bb656856b2035e117c9d2816e5a9d06f058badd067c7de44d96247e9e57695",
     .signature = "6d373f6e2a14cd123ee1cac2ee818592700a9e01bb048f528c22b60cf0e29f1b"},
    {.name = "no body",
     .body = "",
     .body_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     .request_hash = "579d02b212e4cb82b0a239e0bbeb7f200b1aefbb49a69b8ac91ecb967ee71dda",
     .signature = "1207dd0e6bb2e4851e7ccc2b82fa2789ce2c83e6abb43fba4ea369a10c6731bc"},
    {.name = "captured from the wire of the Python SDK",
     .body = k_release_spaced,
     .body_hash = k_release_spaced_hash,
     .request_hash = "",
     .signature = "4792b14999f724e10ba461149adc894c75ddfa8c62a174d0031109234e87992d",
     .host = "127.0.0.1:33377",
     .time = 1795454987,
     .request_bytes = 142},
    // The only one that Zenlayer itself has published, on the page named in signer.h.
    {.name = "published by Zenlayer",
     .body = R"({"pageSize":10,"pageNum":1,"zoneId":"HKG-A"})",
     .body_hash = "5f714687ba91c606d503467766151206392474accd137ffea6dce2420b67c29a",
     .request_hash = "29396f9dfa0f03820b931e8aa06e20cda197e73285ebd76aceb83f7dede493ee",
     .signature = "efb356c32e55c781e10dc676da59462c22596d82e91c57803666243379555b2f",
     .secret = "Gu5t9xGARNpq86cd98joQYCN3",
     .content_type = "application/json; charset=utf-8",
     .time = 1673361177,
     .request_bytes = 162},
    {.name = "the same without charset",
     .body = R"({"pageSize":10,"pageNum":1,"zoneId":"HKG-A"})",
     .body_hash = "5f714687ba91c606d503467766151206392474accd137ffea6dce2420b67c29a",
     .request_hash = "",
     .signature = "9fdd5117d611874c57b6514c5265c94aee7b716f33906836f9ebda1b56cbc119",
     .secret = "Gu5t9xGARNpq86cd98joQYCN3",
     .time = 1673361177},
};

TEST(SignerTest, ReproducesEveryVectorStepByStep) {
  for (const Vector& vector : k_vectors) {
    SCOPED_TRACE(vector.name);
    const SignedParts parts = vector.parts();
    EXPECT_EQ(sha256_hex(vector.body), vector.body_hash);
    const std::string request = canonical_request(parts);
    EXPECT_EQ(request.size(), vector.request_bytes);
    EXPECT_TRUE(request.ends_with(vector.body_hash));
    if (!vector.request_hash.empty()) {
      EXPECT_EQ(sha256_hex(request), vector.request_hash);
    }
    EXPECT_EQ(zc2_signature(vector.secret, parts), vector.signature);
  }
}

TEST(SignerTest, BuildsTheCanonicalRequestByteForByte) {
  const SignedParts parts = k_vectors[0].parts();
  EXPECT_EQ(canonical_request(parts),
            "POST\n/\n\ncontent-type:application/json\nhost:console.zenlayer.com\n\n"
            "content-type;host\n"
            "be878f9c32e5911a822b24d2106e29b78ee418caf2a73ebba3185f6e38a61cc5");
  EXPECT_EQ(string_to_sign(parts),
            "ZC2-HMAC-SHA256\n1700000000\n"
            "25ac040b5b4180c0a1c8d13584119a5900b7006aa92400bb13ab816bb573037d");
}

TEST(SignerTest, TheSignatureChangesWithEverySignedPart) {
  const std::string original = zc2_signature(k_secret, k_vectors[0].parts());
  SignedParts parts = k_vectors[0].parts();
  parts.unix_seconds += 1;
  EXPECT_NE(zc2_signature(k_secret, parts), original);
  parts = k_vectors[0].parts();
  parts.host = "console.zenlayer.com:444";
  EXPECT_NE(zc2_signature(k_secret, parts), original);
  EXPECT_EQ(zc2_signature(k_secret, k_vectors[0].parts()), original);
}

TEST(SignerTest, NothingOfAKeyStaysForTheNext) {
  const SignedParts parts = k_vectors[0].parts();
  const std::string_view none;
  const std::string without_key = zc2_signature(none, parts);
  // HMAC takes a short key for the same one with zeros behind it.
  EXPECT_EQ(zc2_signature(std::string_view("\0\0", 2), parts), without_key);
  EXPECT_EQ(zc2_signature(k_secret, parts), k_vectors[0].signature);
  EXPECT_EQ(zc2_signature(none, parts), without_key);
  EXPECT_EQ(zc2_signature("", parts), without_key);
  const std::string long_key(100, 'k');
  EXPECT_NE(zc2_signature(long_key, parts), without_key);
  EXPECT_EQ(zc2_signature(k_secret, parts), k_vectors[0].signature);
}

TEST(SignerTest, AKeyPairIsWrittenAsCredentialSignedHeadersSignature) {
  const Credential credential{.kind = Credential::Kind::key_pair,
                              .id = std::string(k_key_id),
                              .secret = Secret(std::string(k_secret)),
                              .source = "test"};
  EXPECT_EQ(authorization(credential, k_vectors[0].parts()),
            "ZC2-HMAC-SHA256 Credential=AKIDEXAMPLE0000000001, SignedHeaders=content-type;host, "
            "Signature=d0249e58b870346312e715d3fb992d576f890f3c92911022db04e444362c0329");
}

TEST(SignerTest, ATokenIsWrittenAsItIs) {
  const Credential credential{.kind = Credential::Kind::bearer,
                              .id = "token:000000000000",
                              .secret = Secret("fake-token-1"),
                              .source = "test"};
  EXPECT_EQ(authorization(credential, k_vectors[0].parts()), "Bearer fake-token-1");
}

}  // namespace
}  // namespace diskrelease
