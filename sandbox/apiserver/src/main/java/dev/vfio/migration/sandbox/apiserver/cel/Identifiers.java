package dev.vfio.migration.sandbox.apiserver.cel;

import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Field names as CEL can say them: Kubernetes writes {@code a-b} as {@code a__dash__b}, and {@code
 * in} as {@code __in__}.
 */
final class Identifiers {
  private static final Set<String> RESERVED =
      Set.of(
          ("true false null in as break const continue else for function if import let loop package"
                  + " namespace return var void while")
              .split(" "));
  private static final Pattern IDENTIFIER = Pattern.compile("[a-zA-Z_][a-zA-Z0-9_]*");

  private Identifiers() {}

  /** The escaped name; nothing for a name that cannot be said even so. */
  static Optional<String> escape(String field) {
    if (RESERVED.contains(field)) {
      return Optional.of("__" + field + "__");
    }
    String escaped =
        field
            .replace("__", "__underscores__")
            .replace(".", "__dot__")
            .replace("-", "__dash__")
            .replace("/", "__slash__");
    return IDENTIFIER.matcher(escaped).matches() ? Optional.of(escaped) : Optional.empty();
  }
}
