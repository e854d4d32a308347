package dev.vfio.migration.sandbox.apiserver.http;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * One HTTP request, read completely.
 *
 * @param method GET, POST, PUT, PATCH or DELETE
 * @param path decoded path without the query
 * @param query decoded query parameters
 * @param headers by lower-case name; only the last of several with one name
 * @param body empty where there is none; not copied, so not to be changed
 */
public record ApiRequest(
    String method,
    String path,
    Map<String, List<String>> query,
    Map<String, String> headers,
    byte[] body) {

  /** The last value of a query parameter, if it is there and not empty. */
  public Optional<String> parameter(String name) {
    List<String> values = query.getOrDefault(name, List.of());
    return values.isEmpty()
        ? Optional.empty()
        : Optional.of(values.get(values.size() - 1)).filter(value -> !value.isEmpty());
  }

  /** Whether a query parameter says yes ({@code true} or {@code 1}). */
  public boolean flag(String name) {
    return parameter(name).filter(value -> value.equals("true") || value.equals("1")).isPresent();
  }

  /**
   * A query parameter that is a whole number.
   *
   * @throws ApiException 400 if it is not one
   */
  public Optional<Long> number(String name) {
    return parameter(name)
        .map(
            text -> {
              try {
                return Long.valueOf(text);
              } catch (NumberFormatException e) {
                throw Failures.badRequest(
                    "query parameter %s: \"%s\" is not a whole number".formatted(name, text));
              }
            });
  }

  /** A header's value, empty if it is absent. */
  public String header(String name) {
    return headers.getOrDefault(name.toLowerCase(Locale.ROOT), "");
  }

  /**
   * The part of the User-Agent before the first slash; what the API takes for a manager's name if
   * none is given.
   */
  public String program() {
    String agent = header("User-Agent");
    int slash = agent.indexOf('/');
    String name = slash < 0 ? agent : agent.substring(0, slash);
    return name.isEmpty() ? "unknown" : name;
  }
}
