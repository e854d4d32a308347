package dev.vfio.migration.operator;

import dev.vfio.migration.connections.certificates.LongNames;
import dev.vfio.migration.operator.certificates.MakeCertificates;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jboss.logging.Logger;

/**
 * The operator, or with the one argument {@value #CERTIFICATES} the job that makes certificates.
 */
@QuarkusMain
public final class OperatorMain {
  static final String CERTIFICATES = "certificates";

  /** Those in which a leader is elected; see application.properties. */
  private static final Set<String> ELECTING = Set.of("prod", "dev");

  private static final List<String> PROFILES =
      List.of("quarkus.profile", "smallrye.config.profile", "mp.config.profile");

  private OperatorMain() {}

  public static void main(String... arguments) {
    // What is logged and recorded reads the same wherever it runs.
    Locale.setDefault(Locale.ROOT);
    if (List.of(arguments).equals(List.of(CERTIFICATES))) {
      System.exit(MakeCertificates.run(System.getenv(), System.out));
    }
    Optional<String> refusal =
        profileRefusal(System.getenv()).or(() -> profileRefusal(ofThisProcess()));
    if (refusal.isPresent()) {
      System.err.println(refusal.get());
      System.exit(1);
    }
    LongNames.allow();
    Quarkus.run(null, OperatorMain::ended, arguments);
  }

  /** Ends as Quarkus does by itself, with the reason in a sentence below the stack trace. */
  private static void ended(int status, Throwable failure) {
    if (failure != null) {
      Logger.getLogger(OperatorMain.class).error(StartFailure.explain(failure));
    }
    System.exit(status);
  }

  private static Map<String, String> ofThisProcess() {
    return System.getProperties().stringPropertyNames().stream()
        .collect(Collectors.toUnmodifiableMap(name -> name, System::getProperty));
  }

  /** Why the operator does not start with these variables or system properties. */
  static Optional<String> profileRefusal(Map<String, String> settings) {
    for (String property : PROFILES) {
      String variable = property.replace('.', '_').toUpperCase(Locale.ROOT);
      for (String name : List.of(property, variable)) {
        String profile = settings.get(name);
        if (profile != null && !profile.isBlank() && !ELECTING.contains(profile.strip())) {
          return Optional.of(
              """
              %s=%s is set: with that profile no leader is elected, and two operators would give \
              commands. Nothing was started. Unset it.\
              """
                  .formatted(name, profile));
        }
      }
    }
    return Optional.empty();
  }
}
