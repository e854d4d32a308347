package dev.vfio.migration.operator.reconciler;

import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A test with a sandbox of its own for each method; the operator is not started yet. */
abstract class SandboxTest {
  Sandbox sandbox;

  @BeforeEach
  final void openSandbox(@TempDir Path directory) {
    sandbox = new Sandbox(directory);
  }

  @AfterEach
  final void closeSandbox() {
    sandbox.close();
  }
}
