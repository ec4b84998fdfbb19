#include "evidence/anchor_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "model/errors.h"
#include "support/audit_error.h"
#include "support/temporary_directory.h"
#include "support/test_key.h"

namespace diskrelease {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

class AnchorFileTest : public ::testing::Test {
 protected:
  static Anchor anchor(std::int64_t block) {
    return {{std::string(64, 'a'), block, std::string(64, 'b')},
            UtcTime(std::chrono::milliseconds(1'795'000'000'123 + block))};
  }
  void write(const std::string& text) { std::ofstream(file_) << text; }
  void append(std::int64_t block) {
    AnchorWriter({.file = file_, .log_socket = {}, .key = {}}).append(anchor(block));
  }
  std::string usage_error() {
    try {
      static_cast<void>(read_anchors(file_));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "none";
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "audit.db.anchors";
};

TEST_F(AnchorFileTest, GivesBackWhatWasAppended) {
  for (std::int64_t block = 1; block <= 3; ++block) append(block);
  const std::vector<Anchor> anchors = read_anchors(file_).anchors;
  ASSERT_EQ(anchors.size(), 3U);
  for (std::int64_t block = 1; block <= 3; ++block) {
    const Anchor& read = anchors[static_cast<std::size_t>(block - 1)];
    EXPECT_EQ(read.head.chain, anchor(block).head.chain);
    EXPECT_EQ(read.head.block, block);
    EXPECT_EQ(read.head.hash, anchor(block).head.hash);
    EXPECT_EQ(read.time, anchor(block).time);
  }
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(AnchorFileTest, SignsLinesAndFindsThoseThatTheKeyHasNotSigned) {
  std::ofstream(directory_ / "key.pem") << k_test_signing_key;
  ::chmod((directory_ / "key.pem").c_str(), 0600);
  const auto key = std::make_shared<const SigningKey>(SigningKey::read(directory_ / "key.pem"));
  std::ofstream(directory_ / "pub.pem") << key->public_key();
  const VerifyingKey verifying = VerifyingKey::read(directory_ / "pub.pem");
  AnchorWriter writer({.file = file_, .log_socket = {}, .key = key});
  writer.append(anchor(1));
  writer.append(anchor(2));
  EXPECT_THAT(read_anchors(file_).anchors, SizeIs(2));
  const AnchorFile read = read_anchors(file_, &verifying);
  ASSERT_THAT(read.anchors, SizeIs(2));
  EXPECT_THAT(read.problems, IsEmpty());
  EXPECT_EQ(read.anchors.at(1).head.block, 2);
  EXPECT_EQ(read.anchors.at(1).time, anchor(2).time);

  std::string line = anchor_line(anchor(3), key.get());
  EXPECT_THAT(line, StartsWith("diskrelease-anchor 2 "));
  // The vector of docs/audit-database.md, made with openssl.
  EXPECT_THAT(
      anchor_line(anchor(7), key.get()),
      EndsWith(" 2026-11-18T11:06:40.130Z /NCBoQkicH3vzKYqmX6Dkdf0l0/HhqLESRCqKukRmQhCcTea08cgvb"
               "3qpma3ZG6vidwaL6lFJuSIB5nOx7WeDA=="));
  // Every single change of a line is found: of what is signed, of the signature, of the version.
  for (std::size_t i = 0; i < line.size(); ++i) {
    std::string changed = line;
    changed[i] = changed[i] == '1' ? '2' : '1';
    write(changed + '\n');
    const AnchorFile found = read_anchors(file_, &verifying);
    EXPECT_THAT(found.anchors, IsEmpty()) << changed;
    EXPECT_THAT(found.problems, SizeIs(1)) << changed;
  }
  write(anchor_line(anchor(3)) + '\n');
  EXPECT_THAT(read_anchors(file_, &verifying).problems,
              ElementsAre(HasSubstr(":1: is not signed by that key: diskrelease-anchor 1 ")));
}

TEST_F(AnchorFileTest, SendsAnchorsToTheSystemLog) {
  const std::filesystem::path path = directory_ / "log";
  const int log = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(log, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(log, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  AnchorWriter writer({.file = file_, .log_socket = path, .key = nullptr});
  writer.append(anchor(5));
  std::string message(1'000, '\0');
  const ssize_t got = ::recv(log, message.data(), message.size(), MSG_DONTWAIT);
  ASSERT_GT(got, 0);
  message.resize(static_cast<std::size_t>(got));
  EXPECT_EQ(message,
            "<85>diskrelease[" + std::to_string(::getpid()) + "]: " + anchor_line(anchor(5)));
  ::close(log);
  // A log that takes nothing: then nothing may be sent either.
  try {
    writer.append(anchor(6));
    ADD_FAILURE() << "nobody has read it";
  } catch (const AuditUnusable& error) {
    EXPECT_THAT(error.what(), HasSubstr("an anchor cannot be sent: Connection refused"));
  }
  // The file has it all the same.
  EXPECT_THAT(read_anchors(file_).anchors, SizeIs(2));
}

TEST_F(AnchorFileTest, HasTheDocumentedForm) {
  EXPECT_EQ(anchor_line(anchor(7)), "diskrelease-anchor 1 " + std::string(64, 'a') + " 7 " +
                                        std::string(64, 'b') + " 2026-11-18T11:06:40.130Z");
}

TEST_F(AnchorFileTest, LeavesRoomForPeople) {
  write("# kept by audit\n\n" + anchor_line(anchor(1)) + "\n");
  EXPECT_EQ(read_anchors(file_).anchors.size(), 1U);
  EXPECT_THAT(read_anchors(file_).problems, IsEmpty());
}

TEST_F(AnchorFileTest, RefusesALineThatIsNoAnchorAndNamesIt) {
  const std::string good = anchor_line(anchor(1));
  for (const std::string& bad :
       {std::string("x"), good.substr(1), good + "x", "diskrelease-anchor 2" + good.substr(20),
        good.substr(0, 30), good.substr(0, good.size() - 25),
        std::string("diskrelease-anchor 1 ")}) {
    write(good + "\n" + bad + "\n");
    EXPECT_THAT(read_anchors(file_).problems, ElementsAre(HasSubstr(".anchors:2: is no anchor: ")))
        << bad;
    EXPECT_EQ(read_anchors(file_).anchors.size(), 1U);
  }
  std::string zero = anchor_line(anchor(0));
  write(zero);
  EXPECT_THAT(read_anchors(file_).problems, ElementsAre(HasSubstr(".anchors:1: is no anchor: ")));
  std::string capital = good;
  capital[25] = 'A';
  write(capital);
  EXPECT_THAT(read_anchors(file_).problems, ElementsAre(HasSubstr(".anchors:1: is no anchor: ")));
}

/// Where the file ends with it, and where the next anchor follows.
TEST_F(AnchorFileTest, ALineThatWasCutOffIsANoteWhereverItIsAndDoesNotSpoilTheNext) {
  std::ofstream(directory_ / "key.pem") << k_test_signing_key;
  ::chmod((directory_ / "key.pem").c_str(), 0600);
  const auto key = std::make_shared<const SigningKey>(SigningKey::read(directory_ / "key.pem"));
  std::ofstream(directory_ / "pub.pem") << key->public_key();
  const VerifyingKey verifying = VerifyingKey::read(directory_ / "pub.pem");
  const std::string good = anchor_line(anchor(1), key.get());
  for (const auto& [line, checks] :
       {std::pair(anchor_line(anchor(12)), static_cast<const VerifyingKey*>(nullptr)),
        std::pair(anchor_line(anchor(12), key.get()), &verifying)}) {
    for (std::size_t length = 1; length < line.size(); ++length) {
      for (const std::string& filling : {std::string(), std::string(5, '\0')}) {
        const std::string torn = line.substr(0, length) + filling;
        write(good + '\n' + torn);
        AnchorFile read = read_anchors(file_, checks);
        EXPECT_THAT(read.problems, IsEmpty()) << torn;
        EXPECT_THAT(read.notes, ElementsAre(HasSubstr(".anchors:2: the writing of"))) << torn;
        EXPECT_THAT(read.anchors, SizeIs(1));
        if (length % 20 != 1) continue;
        AnchorWriter({.file = file_, .log_socket = {}, .key = key}).append(anchor(13));
        read = read_anchors(file_, checks);
        EXPECT_THAT(read.problems, IsEmpty()) << torn;
        EXPECT_THAT(read.notes, ElementsAre(HasSubstr(".anchors:2: the writing of"))) << torn;
        EXPECT_THAT(read.anchors, SizeIs(2));
      }
    }
  }
}

TEST_F(AnchorFileTest, ALineThatWasCutOffInTheMiddleIsAProblem) {
  const std::string good = anchor_line(anchor(1)) + '\n';
  const std::string torn = good.substr(0, 90);
  for (const std::string& rest : {'\n' + good, std::string("\n"), "\n# cut off\n" + good}) {
    write(good + torn + rest);
    EXPECT_THAT(read_anchors(file_).problems, ElementsAre(HasSubstr(":2: is no anchor: "))) << rest;
    EXPECT_THAT(read_anchors(file_).notes, IsEmpty()) << rest;
  }
  // What was never the beginning of an anchor is no interrupted one.
  write(good + "something");
  EXPECT_THAT(read_anchors(file_).problems, SizeIs(1));
  append(2);
  EXPECT_THAT(read_anchors(file_).problems, SizeIs(1));
  EXPECT_THAT(read_anchors(file_).anchors, SizeIs(2));
}

TEST_F(AnchorFileTest, ALineThatOnlyLacksItsEndIsAnAnchor) {
  write(anchor_line(anchor(1)));
  append(2);
  EXPECT_THAT(read_anchors(file_).anchors, SizeIs(2));
  EXPECT_THAT(read_anchors(file_).problems, IsEmpty());
  EXPECT_THAT(read_anchors(file_).notes, IsEmpty());
}

TEST_F(AnchorFileTest, APipeWithoutAReaderIsAnErrorAtOnce) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { append(1); }), HasSubstr("cannot be opened: No such device"));
}

TEST_F(AnchorFileTest, TellsWhereItCannotReadOrWrite) {
  EXPECT_THAT(usage_error(), HasSubstr("cannot be read: No such file"));
  file_ = directory_ / "missing" / "anchors";
  EXPECT_THAT(error_of([&] { append(1); }), HasSubstr("cannot be opened: No such file"));
  file_ = "/dev/full";
  EXPECT_THAT(error_of([&] { append(1); }), HasSubstr("cannot be written: No space left"));
}

}  // namespace
}  // namespace diskrelease
