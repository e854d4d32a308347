package dev.vfio.migration.operator.certificates;

import dev.vfio.migration.connections.certificates.NodeNames;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What the chart asks for, in environment variables.
 *
 * @param namespace of the Secrets
 * @param authority name of the Secret with the authority's key, which no pod mounts
 * @param operator name of the operator's Secret
 * @param agent name of the agents' Secret
 * @param validity of the operator's and the agents' certificate
 * @param nodeNamesWithDots nodes for which the wildcard does not stand with an operator of 0.1.0 or
 *     before
 */
record Request(
    String namespace,
    String authority,
    String operator,
    String agent,
    Duration validity,
    List<String> nodeNamesWithDots) {
  static final String NAMESPACE = "CERTIFICATES_NAMESPACE";
  static final String AUTHORITY = "CERTIFICATES_AUTHORITY_SECRET";
  static final String OPERATOR = "CERTIFICATES_OPERATOR_SECRET";
  static final String AGENT = "CERTIFICATES_AGENT_SECRET";
  static final String VALIDITY_DAYS = "CERTIFICATES_VALIDITY_DAYS";
  static final String NODE_NAMES_WITH_DOTS = "CERTIFICATES_NODE_NAMES_WITH_DOTS";

  private static final String OPERATOR_NAME = "operator.migration.vfio.dev";

  /** Characters of all names of listed nodes: half of what Java takes of a certificate. */
  private static final int MAX_LISTED = 16 << 10;

  /**
   * @throws IllegalArgumentException naming the variable that is missing or wrong
   */
  static Request from(Map<String, String> environment) {
    return new Request(
        required(environment, NAMESPACE),
        required(environment, AUTHORITY),
        required(environment, OPERATOR),
        required(environment, AGENT),
        days(required(environment, VALIDITY_DAYS)),
        Arrays.stream(environment.getOrDefault(NODE_NAMES_WITH_DOTS, "").split(","))
            .filter(name -> !name.isBlank())
            .toList());
  }

  private static String required(Map<String, String> environment, String variable) {
    String value = environment.get(variable);
    if (value == null || value.isBlank()) {
      throw new IllegalArgumentException(variable + " is not set");
    }
    return value;
  }

  private static Duration days(String text) {
    try {
      Duration days = Duration.ofDays(Integer.parseInt(text));
      if (days.compareTo(Duration.ofDays(1)) > 0) {
        return days;
      }
    } catch (NumberFormatException malformed) {
      // Said below.
    }
    throw new IllegalArgumentException(VALIDITY_DAYS + " must be a number above 1, not " + text);
  }

  List<String> operatorNames() {
    return List.of(OPERATOR_NAME);
  }

  /**
   * The wildcard, which stands for every node. The nodes that are listed beside it are named as
   * well while they are few: a long certificate cannot be read everywhere.
   */
  List<String> agentNames() {
    List<String> listed = nodeNamesWithDots.stream().map(NodeNames::of).distinct().toList();
    boolean few = listed.stream().mapToInt(String::length).sum() <= MAX_LISTED;
    return Stream.concat(Stream.of(NodeNames.of("*")), few ? listed.stream() : Stream.empty())
        .toList();
  }
}
