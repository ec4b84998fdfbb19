#include "net/answer_head.h"

#include <gtest/gtest.h>

#include <limits>

namespace diskrelease {
namespace {

std::optional<AnswerHead> with_fields(const std::string& fields) {
  return parse_answer_head("HTTP/1.1 200 OK\r\n" + fields + "\r\n");
}

TEST(AnswerHeadTest, KeepsOrderAndValuesAndLowersNames) {
  const auto head = parse_answer_head(
      "HTTP/1.1 429 Too Many Requests\r\nX-B: =?utf-8?q?As_It_Is?=\r\nx-a:\r\nRetry-After:  2 \r\n"
      "X-b: again\r\nContent-Length: 12\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 429);
  const HeaderFields expected = {{"x-b", "=?utf-8?q?As_It_Is?="},
                                 {"x-a", ""},
                                 {"retry-after", "2"},
                                 {"x-b", "again"},
                                 {"content-length", "12"}};
  EXPECT_EQ(head->headers, expected);
  EXPECT_EQ(head->framing, Framing::content_length);
  EXPECT_EQ(head->content_length, 12u);
  EXPECT_TRUE(head->keep_alive);
}

TEST(AnswerHeadTest, AcceptsStatusLinesWithoutReason) {
  for (const char* line : {"HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 100 x", "HTTP/1.1 999 x y"}) {
    EXPECT_TRUE(parse_answer_head(std::string(line) + "\r\n\r\n").has_value()) << line;
  }
}

TEST(AnswerHeadTest, RefusesOtherStatusLines) {
  for (const char* line :
       {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 099 x",
        "HTTP/1.1 2x0 x", "HTTP/1.1 -20 x", "HTTP/1.1 +20 x", "HTTP/1.1  200", "HTTP/1.1\t200 OK",
        "HTTP/2 200 OK", "HTTP/1.2 200 OK", "http/1.1 200 OK", "SSH-2.0-x 200 ", " HTTP/1.1 200 OK",
        "HTTP/1.1 200 O\x01K", "HTTP/1.1 200 O\nK"}) {
    EXPECT_FALSE(parse_answer_head(std::string(line) + "\r\n\r\n").has_value()) << line;
  }
}

TEST(AnswerHeadTest, RefusesAHeadThatIsCutAtAnyByte) {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX: y\r\n\r\n";
  ASSERT_TRUE(parse_answer_head(whole).has_value());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_answer_head(whole.substr(0, length)).has_value()) << length;
  }
  EXPECT_FALSE(parse_answer_head(whole + "x").has_value());
}

TEST(AnswerHeadTest, RefusesMalformedFields) {
  for (const char* field : {"no colon", ": no name", "Name : x", " folded", "\tfolded", "a b: x",
                            "x: a\nb", "x: a\rb", "x: a\x7f", "x: a\x01", "n\xc3\xa4me: x"}) {
    EXPECT_FALSE(with_fields(std::string(field) + "\r\n").has_value()) << field;
  }
  EXPECT_FALSE(with_fields(std::string("x: a\0b\r\n", 8)).has_value());
}

TEST(AnswerHeadTest, BoundsTheNumberOfFields) {
  std::string fields;
  for (std::size_t i = 0; i < k_head_field_cap; ++i) fields += "x: y\r\n";
  EXPECT_TRUE(with_fields(fields).has_value());
  EXPECT_FALSE(with_fields(fields + "x: y\r\n").has_value());
}

TEST(AnswerHeadTest, RefusesALengthThatIsNotOneNumber) {
  for (const char* value :
       {"", "-7", "+7", "0x7", "7 7", "7,7", "7;", "seven", "1e3", "7.0", "18446744073709551616"}) {
    EXPECT_FALSE(with_fields("Content-Length: " + std::string(value) + "\r\n").has_value())
        << value;
  }
  EXPECT_FALSE(with_fields("Content-Length: 7\r\nContent-Length: 8\r\n").has_value());
  EXPECT_FALSE(with_fields("Content-Length: 7\r\nTransfer-Encoding: chunked\r\n").has_value());
  EXPECT_FALSE(with_fields("Content-Length: -1\r\nContent-Length: 0\r\n").has_value());

  const auto repeated = with_fields("Content-Length: 7\r\ncontent-length: 7\r\n");
  ASSERT_TRUE(repeated.has_value());
  EXPECT_EQ(repeated->content_length, 7u);
  const auto largest = with_fields("Content-Length: 18446744073709551615\r\n");
  ASSERT_TRUE(largest.has_value());
  EXPECT_EQ(largest->content_length, std::numeric_limits<std::uint64_t>::max());
}

TEST(AnswerHeadTest, KnowsOnlyTheChunkedTransferCoding) {
  const auto chunked = with_fields("Transfer-Encoding: Chunked\r\n");
  ASSERT_TRUE(chunked.has_value());
  EXPECT_EQ(chunked->framing, Framing::chunked);
  for (const char* value :
       {"", "identity", "gzip", "gzip, chunked", "chunked, chunked", "xchunked"}) {
    EXPECT_FALSE(with_fields("Transfer-Encoding: " + std::string(value) + "\r\n").has_value())
        << value;
  }
  EXPECT_FALSE(
      with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n").has_value());
}

TEST(AnswerHeadTest, FramesByTheConnectionsEndWithoutALength) {
  const auto head = with_fields("");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->framing, Framing::until_connection_closes);
}

TEST(AnswerHeadTest, KnowsTheStatusesWithoutABody) {
  for (const char* status : {"204", "304"}) {
    const auto head =
        parse_answer_head("HTTP/1.1 " + std::string(status) + " x\r\nContent-Length: 7\r\n\r\n");
    ASSERT_TRUE(head.has_value());
    EXPECT_EQ(head->framing, Framing::no_body);
  }
}

TEST(AnswerHeadTest, KeepsTheConnectionOnlyIfNothingSpeaksAgainstIt) {
  EXPECT_TRUE(with_fields("")->keep_alive);
  EXPECT_TRUE(with_fields("Connection: Keep-Alive\r\n")->keep_alive);
  EXPECT_FALSE(with_fields("Connection: close\r\n")->keep_alive);
  EXPECT_FALSE(with_fields("Connection: keep-alive, close\r\n")->keep_alive);
  EXPECT_FALSE(with_fields("Connection: close\r\nConnection: keep-alive\r\n")->keep_alive);
  EXPECT_FALSE(parse_answer_head("HTTP/1.0 200 OK\r\n\r\n")->keep_alive);
}

TEST(ChunkSizeTest, ReadsHexadecimalSizesAndIgnoresExtensions) {
  EXPECT_EQ(parse_chunk_size("0"), 0u);
  EXPECT_EQ(parse_chunk_size("1f"), 31u);
  EXPECT_EQ(parse_chunk_size("1F ;name=value"), 31u);
  EXPECT_EQ(parse_chunk_size("ffffffffffffffff"), std::numeric_limits<std::uint64_t>::max());
}

TEST(ChunkSizeTest, RefusesAnythingElse) {
  for (const char* line : {"", ";x", "g", "-1", "+1", "0x1", "1 1", "10000000000000000", "1\r"}) {
    EXPECT_EQ(parse_chunk_size(line), std::nullopt) << line;
  }
}

constexpr std::size_t k_cap = 100;

/// Behind each byte of the answer: whether the bytes up to there decide what it is. The place of
/// the first that does; npos = more has to come.
std::size_t decided_at(const std::string& answer) {
  for (std::size_t length = 0; length <= answer.size(); ++length) {
    if (needs_no_more(std::string_view(answer).substr(0, length), k_cap)) return length;
  }
  return std::string::npos;
}

TEST(NeedsNoMoreTest, AnAnswerIsDecidedByItsLastByteAndNotBefore) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const std::string& answer :
       {ok + "Content-Length: 3\r\n\r\nabc", ok + "Content-Length: 0\r\n\r\n",
        std::string("HTTP/1.1 204 x\r\n\r\n"),
        ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n" + ok + "Content-Length: 1\r\n\r\na"}) {
    EXPECT_EQ(decided_at(answer), answer.size()) << answer;
  }
  EXPECT_EQ(decided_at(ok + "\r\nwithout a length it ends with the connection"), std::string::npos);
}

TEST(NeedsNoMoreTest, WhatCannotBecomeValidOrIsTooLargeIsDecidedToo) {
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  EXPECT_EQ(decided_at("SSH-2.0-x\n"), 10U);
  EXPECT_EQ(decided_at("SSH-2.0-x"), std::string::npos) << "the reader looks at whole lines";
  EXPECT_NE(decided_at("HTTP/1.1 101 Switching\r\n\r\n"), std::string::npos);
  EXPECT_NE(decided_at(ok + "Content-Length: 101\r\n\r\n"), std::string::npos);
  EXPECT_NE(decided_at(ok + "Transfer-Encoding: chunked\r\n\r\n65\r\n"), std::string::npos);
  EXPECT_NE(decided_at(ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n"), std::string::npos);
  EXPECT_NE(decided_at(ok + "\r\n" + std::string(k_cap + 1, 'x')), std::string::npos);
  EXPECT_TRUE(needs_no_more(std::string(k_head_cap, 'x'), k_cap));
}

}  // namespace
}  // namespace diskrelease
