package dev.vfio.migration.sandbox.apiserver.schema;

import com.networknt.schema.ExecutionContext;
import com.networknt.schema.Format;
import dev.vfio.migration.sandbox.apiserver.quantity.GoDuration;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.format.DateTimeParseException;
import java.util.Base64;
import java.util.List;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * The formats that a kube-apiserver checks (k8s.io/kube-openapi, validation/strfmt). Others are
 * hints for people and never refuse a value.
 */
final class Formats {
  private static final Pattern HEX_PAIRS = Pattern.compile("([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}");
  private static final Pattern UUID_ANY =
      Pattern.compile("(?i)[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}");
  private static final Pattern HOSTNAME =
      Pattern.compile(
          "([a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?)(\\.[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?)*");
  private static final Pattern EMAIL = Pattern.compile("[^@\\s]+@[^@\\s]+");
  private static final Pattern IPV4 =
      Pattern.compile("((25[0-5]|2[0-4]\\d|1?\\d?\\d)\\.){3}(25[0-5]|2[0-4]\\d|1?\\d?\\d)");
  private static final Pattern IPV6 = Pattern.compile("[0-9a-fA-F:.]*:[0-9a-fA-F:.]*");

  static final List<Format> ALL =
      List.of(
          format("date-time", Formats::isDateTime),
          format("date", Formats::isDate),
          format("duration", GoDuration::isValid),
          format("byte", Formats::isBase64),
          format("uuid", text -> UUID_ANY.matcher(text).matches()),
          format("uuid3", text -> UUID_ANY.matcher(text).matches()),
          format("uuid4", text -> UUID_ANY.matcher(text).matches()),
          format("uuid5", text -> UUID_ANY.matcher(text).matches()),
          format("mac", text -> HEX_PAIRS.matcher(text).matches()),
          format("hostname", text -> HOSTNAME.matcher(text).matches()),
          format("email", text -> EMAIL.matcher(text).matches()),
          format("ipv4", text -> IPV4.matcher(text).matches()),
          format("ipv6", text -> IPV6.matcher(text).matches()),
          format("cidr", Formats::isCidr),
          format("uri", text -> text.matches("(?i)([a-z][a-z0-9+.-]*:\\S+|/\\S*)")),
          format("int32", text -> true),
          format("int64", text -> true),
          format("float", text -> true),
          format("double", text -> true),
          format("password", text -> true));

  private Formats() {}

  private static Format format(String name, Predicate<String> rule) {
    return new Format() {
      @Override
      public String getName() {
        return name;
      }

      @Override
      public boolean matches(ExecutionContext context, String value) {
        return rule.test(value);
      }
    };
  }

  private static boolean isDateTime(String text) {
    try {
      return OffsetDateTime.parse(text) != null;
    } catch (DateTimeParseException e) {
      return false;
    }
  }

  private static boolean isDate(String text) {
    try {
      return LocalDate.parse(text) != null;
    } catch (DateTimeParseException e) {
      return false;
    }
  }

  private static boolean isBase64(String text) {
    try {
      return Base64.getDecoder().decode(text) != null;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static boolean isCidr(String text) {
    int slash = text.indexOf('/');
    if (slash < 0 || !text.substring(slash + 1).matches("\\d{1,3}")) {
      return false;
    }
    String address = text.substring(0, slash);
    int bits = Integer.parseInt(text.substring(slash + 1));
    return IPV4.matcher(address).matches() && bits <= 32
        || IPV6.matcher(address).matches() && bits <= 128;
  }
}
