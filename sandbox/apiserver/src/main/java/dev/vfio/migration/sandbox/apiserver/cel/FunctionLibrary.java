package dev.vfio.migration.sandbox.apiserver.cel;

import dev.cel.checker.CelCheckerBuilder;
import dev.cel.common.CelFunctionDecl;
import dev.cel.common.CelOverloadDecl;
import dev.cel.common.types.CelType;
import dev.cel.compiler.CelCompilerLibrary;
import dev.cel.runtime.CelFunctionBinding;
import dev.cel.runtime.CelRuntimeBuilder;
import dev.cel.runtime.CelRuntimeLibrary;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Functions that Kubernetes adds to CEL, declared and implemented in one place. Filled by one
 * thread, then only read. An IllegalArgumentException or ArithmeticException from an implementation
 * is the expression's error.
 */
final class FunctionLibrary implements CelCompilerLibrary, CelRuntimeLibrary {
  private final Map<String, List<CelOverloadDecl>> declarations = new LinkedHashMap<>();
  private final List<CelFunctionBinding> bindings = new ArrayList<>();

  /** Implements a function of one argument. */
  interface One<A> {
    Object apply(A argument);
  }

  /** Implements a function of two arguments. */
  interface Two<A, B> {
    Object apply(A first, B second);
  }

  /** Implements a function of any number of arguments. */
  interface Many {
    Object apply(Object[] arguments);
  }

  /** A function {@code name(argument)}. */
  <A> void global(
      String name, String id, CelType result, CelType argument, Class<A> type, One<A> body) {
    declare(name, CelOverloadDecl.newGlobalOverload(id, result, argument));
    bindings.add(CelFunctionBinding.from(id, type, body::apply));
  }

  /** A function {@code target.name()}. */
  <A> void member(
      String name, String id, CelType result, CelType target, Class<A> type, One<A> body) {
    declare(name, CelOverloadDecl.newMemberOverload(id, result, target));
    bindings.add(CelFunctionBinding.from(id, type, body::apply));
  }

  /** A function {@code target.name(argument)}. */
  <A, B> void member(
      String name,
      String id,
      CelType result,
      CelType target,
      CelType argument,
      Class<A> targetClass,
      Class<B> argumentClass,
      Two<A, B> body) {
    declare(name, CelOverloadDecl.newMemberOverload(id, result, target, argument));
    bindings.add(CelFunctionBinding.from(id, targetClass, argumentClass, body::apply));
  }

  /** A function {@code target.name(argument, argument)}. */
  void member(
      String name,
      String id,
      CelType result,
      List<CelType> types,
      List<Class<?>> classes,
      Many body) {
    declare(name, CelOverloadDecl.newMemberOverload(id, result, types));
    bindings.add(CelFunctionBinding.from(id, classes, body::apply));
  }

  @Override
  public void setCheckerOptions(CelCheckerBuilder checker) {
    declarations.forEach(
        (name, overloads) ->
            checker.addFunctionDeclarations(
                CelFunctionDecl.newFunctionDeclaration(name, overloads)));
  }

  @Override
  public void setRuntimeOptions(CelRuntimeBuilder runtime) {
    runtime.addFunctionBindings(bindings);
  }

  private void declare(String name, CelOverloadDecl overload) {
    declarations.computeIfAbsent(name, key -> new ArrayList<>()).add(overload);
  }
}
