package dev.vfio.migration.sandbox.apiserver;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The file by which kubectl and other clients find the server. */
final class Kubeconfig {
  private static final String TEXT =
      """
      apiVersion: v1
      kind: Config
      clusters:
      - name: sandbox
        cluster:
          server: %s
      contexts:
      - name: sandbox
        context:
          cluster: sandbox
          user: sandbox
          namespace: default
      current-context: sandbox
      users:
      - name: sandbox
        user: {}
      """;

  private Kubeconfig() {}

  static String text(String url) {
    return TEXT.formatted(url);
  }

  /** Replaces the file atomically, so that no reader sees half of it. */
  static void write(Path file, String url) throws IOException {
    Path parent = file.toAbsolutePath().getParent();
    Files.createDirectories(parent);
    Path temporary = Files.createTempFile(parent, "kubeconfig", ".part");
    Files.writeString(temporary, text(url));
    Files.move(
        temporary,
        file,
        java.nio.file.StandardCopyOption.REPLACE_EXISTING,
        java.nio.file.StandardCopyOption.ATOMIC_MOVE);
  }
}
