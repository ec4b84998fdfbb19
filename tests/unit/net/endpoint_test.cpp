#include <gtest/gtest.h>

#include "net/https_transport.h"

namespace diskrelease {
namespace {

TEST(EndpointTest, ReadsAHostWithAndWithoutPort) {
  struct Case {
    const char* text;
    Endpoint endpoint;
  };
  for (const auto& [text, endpoint] : std::vector<Case>{
           {"console.zenlayer.com", {"console.zenlayer.com", 443}},
           {"Console.ZENLAYER.com:8443", {"console.zenlayer.com", 8443}},
           {"localhost:1", {"localhost", 1}},
           {"localhost:65535", {"localhost", 65535}},
           {"127.0.0.1", {"127.0.0.1", 443}},
           {"[::1]", {"::1", 443}},
           {"[2001:DB8::1]:8443", {"2001:db8::1", 8443}},
           {"3com.example", {"3com.example", 443}},
           {"a-b.example", {"a-b.example", 443}},
       }) {
    EXPECT_EQ(parse_endpoint(text), endpoint) << text;
  }
}

TEST(EndpointTest, RefusesWhatIsNotAHostAndAPort) {
  for (const char* text : {"",           ":443",           "host:",        "host:0",
                           "host:65536", "host:443x",      "host:+443",    "host:0443",
                           "host:-1",    "https://host",   "host/path",    "host/",
                           "user@host",  "user:pw@host",   "ho st",        " host",
                           "host ",      "host?q",         "host#f",       "host..example",
                           ".host",      "host.",          "-host",        "host-",
                           "a.-b",       "h\xc3\xb6st",    "under_score",  "::1",
                           "[::1",       "[::1]x",         "[::1]:",       "[127.0.0.1]",
                           "[]",         "[fe80::1%eth0]", "256.0.0.1",    "127.1",
                           "1",          "0x7f.0x1",       "host\r\nX: y", "*.example"}) {
    EXPECT_EQ(parse_endpoint(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_endpoint(std::string_view("ho\0st", 5)), std::nullopt);
}

TEST(EndpointTest, BoundsLabelsTo63AndNamesTo253Bytes) {
  EXPECT_TRUE(parse_endpoint(std::string(63, 'a')).has_value());
  EXPECT_FALSE(parse_endpoint(std::string(64, 'a')).has_value());
  const std::string label = std::string(49, 'a') + ".";
  const std::string four = label + label + label + label;  // 200 bytes
  EXPECT_TRUE(parse_endpoint(four + std::string(53, 'a')).has_value());
  EXPECT_FALSE(parse_endpoint(four + std::string(54, 'a')).has_value());
}

TEST(EndpointTest, WritesTheHostHeaderWithThePortOnlyIfItIsNot443) {
  EXPECT_EQ(host_header({"console.zenlayer.com", 443}), "console.zenlayer.com");
  EXPECT_EQ(host_header({"localhost", 442}), "localhost:442");
  EXPECT_EQ(host_header({"localhost", 444}), "localhost:444");
  EXPECT_EQ(host_header({"::1", 443}), "[::1]");
  EXPECT_EQ(host_header({"::1", 8443}), "[::1]:8443");
}

TEST(ProxyTest, ReadsAnHttpProxyUrl) {
  struct Case {
    const char* url;
    Proxy proxy;
  };
  for (const auto& [url, expected] : std::vector<Case>{
           {"http://proxy", {"proxy", 8080, "", ""}},
           {"http://proxy/", {"proxy", 8080, "", ""}},
           {"HTTP://Proxy.example:3128", {"proxy.example", 3128, "", ""}},
           {"http://[::1]:3128", {"::1", 3128, "", ""}},
           {"http://ann@proxy", {"proxy", 8080, "ann", ""}},
           {"http://ann:not-a-secret@proxy:1", {"proxy", 1, "ann", "not-a-secret"}},
           {"http://a%40b:p%3aq%25@proxy", {"proxy", 8080, "a@b", "p:q%"}},
           {"http://ann:p@q:r@proxy", {"proxy", 8080, "ann", "p@q:r"}},
       }) {
    const auto proxy = parse_proxy(url);
    ASSERT_TRUE(proxy.has_value()) << url;
    EXPECT_EQ(proxy->host, expected.host) << url;
    EXPECT_EQ(proxy->port, expected.port) << url;
    EXPECT_EQ(proxy->user, expected.user) << url;
    EXPECT_EQ(proxy->password, expected.password) << url;
  }
}

TEST(ProxyTest, RefusesEverythingElse) {
  for (const char* url : {"", "proxy", "proxy:8080", "http://", "http:///", "https://proxy",
                          "socks5://proxy", "http://proxy:0", "http://proxy/path", "http://proxy//",
                          "http://@proxy", "http://:pw@proxy", "http://a%3ab:pw@proxy",
                          "http://ann:%0d%0aX@proxy", "http://ann:%zz@proxy", "http://ann:%2@proxy",
                          "http://ann:%@proxy", "http://pro xy", "http:/proxy"}) {
    EXPECT_FALSE(parse_proxy(url).has_value()) << url;
  }
}

TEST(ProxyTest, IsBypassedForTheHostsThatNoProxyNames) {
  const Endpoint name{"api.example.com", 443};
  for (const char* list : {"*", "api.example.com", "example.com", ".example.com", "*.example.com",
                           "API.Example.COM", "other, api.example.com", "a,,\tcom ,",
                           "api.example.com:443", ".example.com:443", "example.com:443"}) {
    EXPECT_TRUE(bypasses_proxy(name, list)) << list;
  }
  for (const char* list :
       {"", ",", " ", "pi.example.com", "ample.com", "api.example.com:444", "example.com:80",
        "api.example.com.au", "x.api.example.com", ".", "*.", "apiXexample.com", "example"}) {
    EXPECT_FALSE(bypasses_proxy(name, list)) << list;
  }
}

TEST(ProxyTest, IsBypassedForAnAddressOnlyIfItIsNamedWhole) {
  for (const char* list : {"127.0.0.1", "10.0.0.1,127.0.0.1", "127.0.0.1:8443", "*"}) {
    EXPECT_TRUE(bypasses_proxy({"127.0.0.1", 8443}, list)) << list;
  }
  for (const char* list : {"0.0.1", ".0.0.1", "1", "127.0.0.1:443", "127.0.0.10"}) {
    EXPECT_FALSE(bypasses_proxy({"127.0.0.1", 8443}, list)) << list;
  }
  for (const char* list : {"::1", "[::1]", "[::1]:443", "0:0:0:0:0:0:0:1"}) {
    EXPECT_TRUE(bypasses_proxy({"::1", 443}, list)) << list;
  }
  EXPECT_FALSE(bypasses_proxy({"::1", 443}, "[::1]:444"));
  EXPECT_FALSE(bypasses_proxy({"::1", 443}, "::2"));
}

TEST(ProxyTest, IsBypassedForTheAddressesOfABlock) {
  for (const char* list : {"192.168.0.0/16", "other 192.168.0.0/16", "192.168.7.9/32", "0.0.0.0/0",
                           "192.168.7.8/31", "10.0.0.0/8,192.168.255.255/16"}) {
    EXPECT_TRUE(bypasses_proxy({"192.168.7.9", 8443}, list)) << list;
  }
  for (const char* list :
       {"192.169.0.0/16", "192.168.7.8/32", "192.168.7.10/31", "192.168.0.0/33", "192.168.0.0/",
        "192.168.0.0/-1", "192.168.0.0/16x", "/16", "/", "192.168/16", "::/0", "example.com/0"}) {
    EXPECT_FALSE(bypasses_proxy({"192.168.7.9", 8443}, list)) << list;
  }
  for (const char* list : {"fd00::/8", "FD12:3456::/32", "[fd00::]/8", "::/0"}) {
    EXPECT_TRUE(bypasses_proxy({"fd12:3456::9", 443}, list)) << list;
  }
  for (const char* list : {"fe80::/10", "fd12:3457::/32", "fd00::/129", "0.0.0.0/0"}) {
    EXPECT_FALSE(bypasses_proxy({"fd12:3456::9", 443}, list)) << list;
  }
  EXPECT_FALSE(bypasses_proxy({"api.example.com", 443}, "0.0.0.0/0"));
}

}  // namespace
}  // namespace diskrelease
