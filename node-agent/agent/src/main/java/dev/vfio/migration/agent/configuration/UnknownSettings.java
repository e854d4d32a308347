package dev.vfio.migration.agent.configuration;

import dev.vfio.migration.text.ForeignText;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Settings that this agent does not have. A name that is misspelt would leave its default in force
 * without a word.
 */
public final class UnknownSettings {
  private static final String PREFIX = "agent.";
  private static final String VARIABLE_PREFIX = "AGENT_";
  private static final Set<String> KNOWN =
      Arrays.stream(AgentConfig.class.getMethods())
          .map(Method::getName)
          .map(name -> name.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT))
          .collect(Collectors.toUnmodifiableSet());

  /** One of a list, as {@code memory-directories[0]}. */
  private static final Pattern ELEMENT = Pattern.compile("\\[[0-9]+]$");

  private static final Pattern VARIABLE_ELEMENT = Pattern.compile("_[0-9]+_?$");

  /** What Kubernetes puts into each container for a service whose name begins with "agent". */
  private static final Pattern OF_A_SERVICE =
      Pattern.compile(
          ".*_SERVICE_(HOST|PORT(_.+)?)|.*_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?");

  private static final Pattern ADDRESS = Pattern.compile("(tcp|udp|sctp)://.*");

  private UnknownSettings() {}

  /**
   * Makes sure that every setting that is given is one that there is.
   *
   * @param properties names of all properties
   * @param environment this process's
   * @throws IllegalArgumentException where one is not; the message names it
   */
  public static void refuse(Iterable<String> properties, Map<String, String> environment) {
    Set<String> unknown = new TreeSet<>();
    for (String property : properties) {
      if (property.startsWith(PREFIX)
          && !KNOWN.contains(
              ELEMENT.matcher(property.substring(PREFIX.length())).replaceFirst(""))) {
        unknown.add(property);
      }
    }
    // What Quarkus makes of a variable's name is a guess: the variable itself is looked at.
    unknown.removeIf(property -> environment.containsKey(variable(property)));
    environment.forEach(
        (name, value) -> {
          if (name.startsWith(VARIABLE_PREFIX) && !isKnown(name) && !isOfAService(name, value)) {
            unknown.add(name);
          }
        });
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException(
          "the node agent has no setting "
              + ForeignText.quote(String.join(", ", unknown))
              + "; what was meant by it would not be in force. Its settings are "
              + KNOWN.stream().sorted().map(PREFIX::concat).collect(Collectors.joining(", "))
              + ", each also in the environment ("
              + VARIABLE_PREFIX
              + "...). Mend the name, or take it away.");
    }
  }

  private static boolean isKnown(String variable) {
    String plain = VARIABLE_ELEMENT.matcher(variable).replaceFirst("");
    return KNOWN.stream()
        .map(name -> variable(PREFIX + name))
        .anyMatch(known -> known.equals(variable) || known.equals(plain));
  }

  private static boolean isOfAService(String name, String value) {
    return OF_A_SERVICE.matcher(name).matches()
        || name.endsWith("_PORT") && ADDRESS.matcher(value).matches();
  }

  private static String variable(String property) {
    return property.replaceAll("[^A-Za-z0-9]", "_").toUpperCase(Locale.ROOT);
  }
}
