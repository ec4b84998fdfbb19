#pragma once

namespace diskrelease {

/// The secret key of RFC 8032, section 7.1, TEST 2: known to everybody.
inline constexpr char k_test_signing_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
    "-----END PRIVATE KEY-----\n";

}  // namespace diskrelease
