package dev.vfio.migration.operator;

import dev.vfio.migration.operator.certificates.MakeCertificates;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.List;

/**
 * The operator, or with the one argument {@value #CERTIFICATES} the job that makes certificates.
 */
@QuarkusMain
public final class OperatorMain {
  static final String CERTIFICATES = "certificates";

  private OperatorMain() {}

  public static void main(String... arguments) {
    if (List.of(arguments).equals(List.of(CERTIFICATES))) {
      System.exit(MakeCertificates.run(System.getenv(), System.out));
    }
    Quarkus.run(arguments);
  }
}
