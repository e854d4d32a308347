package dev.vfio.migration.sandbox.apiserver.kubectl;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;

/** Runs a test class only where there is a kubectl, and says so where there is none. */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(RequiresKubectl.Condition.class)
@interface RequiresKubectl {
  /** Looks for the binary. */
  final class Condition implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
      return Kubectl.find()
          .map(binary -> ConditionEvaluationResult.enabled("kubectl is " + binary))
          .orElseGet(
              () ->
                  ConditionEvaluationResult.disabled(
                      "skipped: there is no kubectl (on Debian 12: apt-get install"
                          + " kubernetes-client; or name one with -Dkubectl=FILE)"));
    }
  }
}
