#include "platform/sha256.h"

#include <gtest/gtest.h>

namespace diskrelease {
namespace {

// The examples of FIPS 180-2.
TEST(Sha256Test, AgreesWithThePublishedExamples) {
  Sha256 digest;
  EXPECT_EQ(digest.finish_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  digest.update("abc");
  EXPECT_EQ(digest.finish_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  digest.update("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
  EXPECT_EQ(digest.finish_hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string thousand(1'000, 'a');
  for (int i = 0; i < 1'000; ++i) digest.update(thousand);
  EXPECT_EQ(digest.finish_hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, DoesNotDependOnTheSizeOfThePieces) {
  Sha256 whole;
  whole.update("disk-1\ndisk-2\n");
  Sha256 pieces;
  for (const char* piece : {"disk", "", "-1\nd", "isk-2", "\n"}) pieces.update(piece);
  EXPECT_EQ(pieces.finish_hex(), whole.finish_hex());
}

}  // namespace
}  // namespace diskrelease
