package dev.vfio.migration.sandbox.cluster.whole;

import java.io.IOException;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Hands the one {@link TestCluster} to tests that ask for it, mends it after each of them, and ends
 * it with the last.
 */
final class WholeSystem implements ParameterResolver, AfterEachCallback {
  private static final Namespace NAMESPACE = Namespace.create(WholeSystem.class);

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == TestCluster.class;
  }

  @Override
  public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
    return cluster(context);
  }

  @Override
  public void afterEach(ExtensionContext context) throws Exception {
    cluster(context).heal();
  }

  /** The store of the root closes it when all tests are done. */
  private static TestCluster cluster(ExtensionContext context) {
    return context
        .getRoot()
        .getStore(NAMESPACE)
        .computeIfAbsent(
            TestCluster.class,
            type -> {
              try {
                return TestCluster.start();
              } catch (IOException e) {
                throw new IllegalStateException("the cluster does not start: " + e.getMessage(), e);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while the cluster started", e);
              }
            },
            TestCluster.class);
  }
}
