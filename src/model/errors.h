#pragma once

#include <stdexcept>
#include <string>

namespace diskrelease {

/// What ends an invocation. Each member of this small family has one exit code (cli/exit_code.h);
/// main catches it once. what() is a complete message for the operator: what, where, why, what to
/// do next; no secrets.
class InvocationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong flags, an invalid list or job file, a missing file. Nothing was sent. Exit 2.
class UsageError : public InvocationError {
 public:
  using InvocationError::InvocationError;
};

/// A safety gate said no: no confirmation, over the stated limit. Nothing was sent. Exit 5.
class GateRefused : public InvocationError {
 public:
  using InvocationError::InvocationError;
};

/// Authentication, credentials or endpoint make every call pointless. Resumable. Exit 7.
class CallsImpossible : public InvocationError {
 public:
  using InvocationError::InvocationError;
};

/// Another process works on the same audit database. Exit 8.
class LockHeld : public InvocationError {
 public:
  using InvocationError::InvocationError;
};

/// The audit database cannot be read, written or understood. Nothing is sent any more. Exit 10.
class AuditUnusable : public InvocationError {
 public:
  using InvocationError::InvocationError;
};

}  // namespace diskrelease
