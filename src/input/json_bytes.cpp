#include "input/json_bytes.h"

namespace diskrelease {

std::string_view name(JsonKind kind) noexcept {
  switch (kind) {
    case JsonKind::null:
      return "null";
    case JsonKind::boolean:
      return "true or false";
    case JsonKind::number:
      return "a number";
    case JsonKind::string:
      return "a string";
    case JsonKind::object:
      return "an object";
    case JsonKind::array:
      return "an array";
  }
  return "";
}

std::string_view describe_json_error(rapidjson::ParseErrorCode code) noexcept {
  switch (code) {
    case rapidjson::kParseErrorNone:
    case rapidjson::kParseErrorTermination:
    case rapidjson::kParseErrorUnspecificSyntaxError:
      break;
    case rapidjson::kParseErrorDocumentEmpty:
      return "there is no JSON value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "there is text after the end of the JSON value";
    case rapidjson::kParseErrorValueInvalid:
      return "this is not a JSON value; texts need double quotes";
    case rapidjson::kParseErrorObjectMissName:
      return "the name of a member in double quotes is missing";
    case rapidjson::kParseErrorObjectMissColon:
      return "a colon after the name of a member is missing";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "a comma or } after the member of an object is missing";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "a comma or ] after the element of an array is missing";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "\\u in a string is not followed by four hexadecimal digits";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "a string holds half a surrogate pair";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "a string holds an unknown escape or a raw control character, such as a line end";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "the closing quote of a string is missing";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "a string is not valid UTF-8; save the file as UTF-8";
    case rapidjson::kParseErrorNumberTooBig:
      return "a number is too big; write disk ids as strings";
    case rapidjson::kParseErrorNumberMissFraction:
      return "the digits after a decimal point are missing";
    case rapidjson::kParseErrorNumberMissExponent:
      return "the digits of an exponent are missing";
  }
  return "the JSON is not well-formed";
}

}  // namespace diskrelease
